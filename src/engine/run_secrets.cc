#include "engine/run_secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace casemate {
namespace {

constexpr std::size_t kSecretsMax = 64;
constexpr std::size_t kNameBytesMax = 128;
// What every program gets from the sandbox itself; a second value would be the one that is seen, or not.
constexpr std::array<std::string_view, 4> kTaken = {"PATH", "HOME", "LANG", "TMPDIR"};

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Of a variable as a shell takes it; a file may have dots and dashes too, but not first.
bool IsName(std::string_view name, SecretMode mode) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  const bool file = mode == SecretMode::kFile;
  if (!IsLetter(name.front()) && !(file && IsDigit(name.front()))) return false;
  return std::ranges::all_of(
      name, [file](char c) { return IsLetter(c) || IsDigit(c) || (file && (c == '.' || c == '-')); });
}

Expected<void> CheckOne(const SecretRequest& secret, const ExecutionRequest& request) {
  const SecretMode mode = secret.EffectiveMode();
  if (!IsName(secret.name, mode)) {
    // Not repeated: it may be a value in the wrong place.
    return Invalid(
        "the name of a secret is made of letters, digits and underscores, as in API_KEY=env:API_KEY");
  }
  if (mode != SecretMode::kBrokered && !secret.hosts.empty()) {
    return Invalid(fmt::format(
        "the secret {} names hosts, which hold for brokered ones alone: leave them out", secret.name));
  }
  if (mode == SecretMode::kFile) return {};
  if (std::ranges::find(kTaken, secret.name) != kTaken.end() || request.env.contains(secret.name)) {
    return Invalid(fmt::format(
        "{} is a variable of the run already: give the secret another name, or as a file", secret.name));
  }
  return {};
}

}  // namespace

Expected<void> CheckSecrets(const ExecutionRequest& request) {
  if (request.secrets.size() > kSecretsMax) {
    return Invalid(fmt::format("a run can have {} secrets at most", kSecretsMax));
  }
  std::set<std::string_view> names;
  for (const SecretRequest& secret : request.secrets) {
    if (auto checked = CheckOne(secret, request); !checked) return checked;
    if (!names.insert(secret.name).second)
      return Invalid(fmt::format("the secret {} is given twice", secret.name));
  }
  return {};
}

Expected<std::vector<ResolvedSecret>> ResolveSecrets(const ExecutionRequest& request, SecretStore& store) {
  auto secrets = store.Resolve(request.secrets);
  if (!secrets) {
    Error error = std::move(secrets.error());
    // What is not there is a secret, and not the program.
    if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kInvalidRequest;
    return std::unexpected(std::move(error));
  }
  for (const ResolvedSecret& secret : *secrets) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
    if (secret.mode == SecretMode::kBrokered &&
        (secret.value->empty() || std::ranges::any_of(secret.value->Reveal(), is_control))) {
      return Invalid(
          fmt::format("the secret {} is empty or has a line break or another control character in it, which "
                      "no header field can hold: give it as a file, {}:file",
                      secret.name, secret.name));
    }
    if (secret.mode == SecretMode::kVariable && secret.value->Reveal().find('\0') != std::string_view::npos) {
      return Invalid(
          fmt::format("the secret {} has a zero byte in it, which no variable can hold: give it as a "
                      "file, {}:file",
                      secret.name, secret.name));
    }
  }
  return secrets;
}

std::vector<std::string_view> SecretViews(std::span<const ResolvedSecret> secrets) {
  std::vector<std::string_view> views;
  for (const ResolvedSecret& secret : secrets) views.push_back(secret.value->Reveal());
  return views;
}

}  // namespace casemate
