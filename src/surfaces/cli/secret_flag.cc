#include "surfaces/cli/secret_flag.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <string>

#include "base/user.h"
#include "model/secret_reference.h"

namespace casemate {
namespace {

std::string HomeFolder() {
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  if (home != nullptr && *home == '/') return home;
  const auto user = FindUser(geteuid());
  return user ? user->home : "";
}

void SetPlaces(std::string_view places, SecretRequest& secret) {
  secret.hosts.clear();
  for (;;) {
    const std::size_t comma = places.find(',');
    secret.hosts.emplace_back(places.substr(0, comma));
    if (comma == std::string_view::npos) return;
    places.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string AbsoluteReference(std::string_view reference) {
  std::array<char, PATH_MAX> folder{};
  if (getcwd(folder.data(), folder.size()) == nullptr) return std::string(reference);
  // The home folder may take another program to find, so only when it is asked for.
  const bool home = reference.contains(":~/");
  return AbsoluteReference(reference, folder.data(), home ? HomeFolder() : "");
}

Expected<void> AddSecret(std::string_view value, std::vector<SecretRequest>& secrets) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Fail(ErrorCode::kInvalidRequest, "write NAME=REFERENCE, as in API_KEY=env:API_KEY");
  }
  std::string_view name = value.substr(0, equals);
  std::optional<SecretMode> mode;
  std::string_view places;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    places = name.substr(at + 1);
    name = name.substr(0, at);
    mode = SecretMode::kBrokered;
    if (places.empty())
      return Fail(ErrorCode::kInvalidRequest, "behind the @ comes HOST[:PORT][/HEADER][,...]");
  }
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    mode = ParseSecretMode(name.substr(colon + 1));
    if (!mode) return Fail(ErrorCode::kInvalidRequest, "behind the name comes :env, :file or :brokered");
    name = name.substr(0, colon);
  }
  const std::string_view reference = value.substr(equals + 1);
  if (auto parsed = ParseSecretReference(reference); !parsed) return std::unexpected(parsed.error());
  auto secret = std::ranges::find(secrets, name, &SecretRequest::name);
  if (secret == secrets.end()) {
    secrets.emplace_back().name = name;
    secret = secrets.end() - 1;
  }
  if (mode && secret->mode && *mode != *secret->mode) {
    return Fail(ErrorCode::kInvalidRequest, "one secret is given in two ways: choose :env or :file");
  }
  if (mode) secret->mode = mode;
  if (!places.empty()) SetPlaces(places, *secret);
  secret->references.push_back(AbsoluteReference(reference));
  return {};
}

bool NeedThisProcess(const std::vector<SecretRequest>& secrets) {
  return std::ranges::any_of(secrets, [](const SecretRequest& secret) {
    return std::ranges::any_of(secret.references, BelongsToProcess);
  });
}

}  // namespace casemate
