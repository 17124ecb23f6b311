#include "secrets/env/env_provider.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

namespace casemate::secrets {
namespace {

class EnvProvider : public Provider {
 public:
  std::string_view scheme() const override { return "env"; }
  std::string_view form() const override { return "env:NAME"; }

  Expected<void> Check(std::string_view place) const override {
    if (place.find('=') == std::string_view::npos) return {};
    // What follows the sign may be the value.
    return Fail(ErrorCode::kInvalidRequest,
                "the name of an environment variable has no \"=\" in it: write env:NAME, without the value");
  }

  Expected<Fetched> Fetch(std::string_view place, const Deadline& /*deadline*/) override {
    const std::string name(place);
    const char* text = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nothing here sets any
    Fetched fetched;
    if (text == nullptr) {
      fetched.missing = fmt::format("the environment variable {} is not set (export {}=...)", name, name);
      return fetched;
    }
    const std::string_view bytes(text);
    if (bytes.empty()) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the environment variable {} is empty: give it a value, or unset it", name));
    }
    if (bytes.size() > kSecretBytesMax) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the environment variable {} has more than {} bytes: is it the right one?",
                              name, kSecretBytesMax));
    }
    auto value = SecretValue::Copy(bytes);
    if (!value) return std::unexpected(value.error());
    fetched.value = *std::move(value);
    return fetched;
  }
};

}  // namespace

std::unique_ptr<Provider> MakeEnvProvider() { return std::make_unique<EnvProvider>(); }

}  // namespace casemate::secrets
