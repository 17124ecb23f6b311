#include "secrets/dotenv/dotenv_provider.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "secrets/dotenv/dotenv_parser.h"
#include "secrets/dotenv/git_index.h"
#include "secrets/provider/secret_file.h"

namespace casemate::secrets {
namespace {

constexpr std::size_t kFileBytesMax = 4 * kSecretBytesMax;
constexpr std::string_view kAnyMode = "#any-mode";

struct Place {
  std::string_view path;
  std::string_view name;
  bool any_mode = false;
};

Place Split(std::string_view text) {
  Place place;
  place.any_mode = text.ends_with(kAnyMode);
  if (place.any_mode) text.remove_suffix(kAnyMode.size());
  const std::size_t mark = text.rfind('#');
  place.path = text.substr(0, mark);
  if (mark != std::string_view::npos) place.name = text.substr(mark + 1);
  return place;
}

std::optional<std::string_view> OfProcess(std::string_view name) {
  const char* text = std::getenv(std::string(name).c_str());  // NOLINT(concurrency-mt-unsafe): none is set
  return text != nullptr ? std::optional<std::string_view>(text) : std::nullopt;
}

class DotenvProvider : public Provider {
 public:
  std::string_view scheme() const override { return "dotenv"; }
  std::string_view form() const override { return "dotenv:PATH#NAME[#any-mode]"; }

  Expected<void> Check(std::string_view text) const override {
    const Place place = Split(text);
    if (place.name.empty()) {
      return Fail(ErrorCode::kInvalidRequest,
                  "a .env file has many variables: name one of them, as in dotenv:/path/.env#NAME");
    }
    auto path = ExpandPath(place.path);
    if (!path) return std::unexpected(path.error());
    return {};
  }

  std::string Advise(std::string_view text) const override {
    const auto path = ExpandPath(Split(text).path);
    if (!path || !IsTrackedByGit(*path)) return {};
    return fmt::format("{} is tracked by git, and so is every secret in it: git rm --cached {}", *path,
                       *path);
  }

  Expected<Fetched> Fetch(std::string_view text, const Deadline& /*deadline*/) override {
    const Place place = Split(text);
    const auto path = ExpandPath(place.path);
    if (!path) return std::unexpected(path.error());
    const auto file = ReadSecretFile(*path, {.any_mode = place.any_mode, .bytes_max = kFileBytesMax});
    if (!file) return std::unexpected(file.error());
    Fetched fetched;
    if (!*file) {
      fetched.missing = fmt::format("the file {} is not there (write {}=... into it)", *path, place.name);
      return fetched;
    }
    auto entries = ParseDotenv((*file)->Reveal());
    if (!entries) return InFile(*path, entries.error());
    auto value = DotenvValue(*entries, place.name, OfProcess);
    if (!value) return InFile(*path, value.error());
    if (!*value) {
      fetched.missing = fmt::format("{} has no {} (write {}=... into it)", *path, place.name, place.name);
      return fetched;
    }
    if ((*value)->empty()) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{} in {} is empty: give it a value, or delete its line", place.name, *path));
    }
    fetched.value = *std::move(*value);
    return fetched;
  }

 private:
  static std::unexpected<Error> InFile(const std::string& path, const Error& error) {
    return Fail(error.code, fmt::format("{}, {}", path, error.message), error.cause);
  }
};

}  // namespace

std::unique_ptr<Provider> MakeDotenvProvider() { return std::make_unique<DotenvProvider>(); }

}  // namespace casemate::secrets
