#include "secrets/vault/vault_place.h"

#include <algorithm>
#include <charconv>

namespace casemate::secrets {
namespace {

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

// As Vault itself has it; what it could mean otherwise in a URL is refused.
bool IsPath(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || path.ends_with('/') || path.contains("//"))
    return false;
  if (("/" + std::string(path) + "/").contains("/../") || ("/" + std::string(path) + "/").contains("/./"))
    return false;
  return std::ranges::all_of(path,
                             [](char c) { return c > ' ' && c < 0x7f && c != '%' && c != '\\' && c != '"'; });
}

}  // namespace

Expected<VaultPlace> ParseVaultPlace(std::string_view text) {
  constexpr std::string_view kVersion = "version=";
  VaultPlace place;
  const std::size_t mark = text.rfind('#');
  if (mark == std::string_view::npos || mark + 1 == text.size()) {
    return Refuse("a secret of Vault has several fields: name one, as in vault:secret/app#api_key");
  }
  place.field = text.substr(mark + 1);
  std::string_view path = text.substr(0, mark);
  if (const std::size_t query = path.find('?'); query != std::string_view::npos) {
    const std::string_view option = path.substr(query + 1);
    const char* const end = option.data() + option.size();
    if (!option.starts_with(kVersion)) return Refuse("behind \"?\" comes version=N");
    const auto parsed = std::from_chars(option.data() + kVersion.size(), end, place.version);
    if (parsed.ec != std::errc() || parsed.ptr != end || place.version < 1) {
      return Refuse("a version is a whole number from 1");
    }
    path = path.substr(0, query);
  }
  if (!IsPath(path)) return Refuse("a place in Vault is MOUNT/PATH, as in vault:secret/app#api_key");
  place.path = path;
  return place;
}

Expected<void> CheckVaultPlace(std::string_view text) {
  auto place = ParseVaultPlace(text);
  if (!place) return std::unexpected(place.error());
  return {};
}

}  // namespace casemate::secrets
