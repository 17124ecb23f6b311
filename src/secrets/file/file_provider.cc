#include "secrets/file/file_provider.h"

#include <fmt/format.h>

#include <string>

#include "secrets/provider/secret_file.h"

namespace casemate::secrets {
namespace {

struct Place {
  std::string_view path;
  SecretFileRules rules;
};

Place Split(std::string_view text) {
  Place place{text, {}};
  for (;;) {
    if (place.path.ends_with("#any-mode")) {
      place.rules.any_mode = true;
    } else if (place.path.ends_with("#follow")) {
      place.rules.follow = true;
    } else {
      return place;
    }
    place.path = place.path.substr(0, place.path.rfind('#'));
  }
}

class FileProvider : public Provider {
 public:
  std::string_view scheme() const override { return "file"; }
  std::string_view form() const override { return "file:PATH[#any-mode][#follow]"; }

  Expected<void> Check(std::string_view place) const override {
    auto path = ExpandPath(Split(place).path);
    if (!path) return std::unexpected(path.error());
    return {};
  }

  Expected<Fetched> Fetch(std::string_view text, const Deadline& /*deadline*/) override {
    const Place place = Split(text);
    const auto path = ExpandPath(place.path);
    if (!path) return std::unexpected(path.error());
    auto value = ReadSecretFile(*path, place.rules);
    if (!value) return std::unexpected(value.error());
    Fetched fetched;
    if (!*value) {
      fetched.missing = fmt::format("the file {} is not there (write it, and chmod 600 {})", *path, *path);
      return fetched;
    }
    const std::string_view bytes = (*value)->Reveal();
    const std::size_t newline = bytes.ends_with("\r\n") ? 2 : bytes.ends_with('\n') ? 1 : 0;
    (*value)->Resize(bytes.size() - newline);
    if ((*value)->empty()) {
      return Fail(ErrorCode::kInvalidRequest, fmt::format("{} is empty: write the secret into it", *path));
    }
    fetched.value = *std::move(*value);
    return fetched;
  }
};

}  // namespace

std::unique_ptr<Provider> MakeFileProvider() { return std::make_unique<FileProvider>(); }

}  // namespace casemate::secrets
