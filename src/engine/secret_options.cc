#include "engine/secret_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "policy/units.h"

namespace casemate {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::array<std::string_view, 6> kSchemes = {"env", "file", "dotenv", "cmd", "vault", "aws"};

std::unexpected<Error> Refuse(std::string_view name, std::string_view text, std::string_view form) {
  return Fail(ErrorCode::kInvalidRequest, fmt::format("{} is \"{}\": write {}", name, text, form));
}

}  // namespace

Expected<SecretOptions> ReadSecretOptions(SecretOptions wanted, std::string_view ttl,
                                          std::string_view timeout) {
  if (!timeout.empty()) {
    const auto parsed = ParseDurationMs(timeout);
    if (!parsed || *parsed <= 0 || *parsed > kDayMs)
      return Refuse("CASEMATE_SECRETS_TIMEOUT", timeout, "a duration, as in 5s");
    wanted.timeout_ms = *parsed;
  }
  for (std::string_view rest = ttl; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    const std::size_t equals = std::min(one.find('='), one.size());
    const std::string_view scheme = one.substr(0, equals);
    const auto parsed = ParseDurationMs(one.substr(std::min(equals + 1, one.size())));
    if (std::ranges::find(kSchemes, scheme) == kSchemes.end() || !parsed || *parsed < 0 || *parsed > kDayMs) {
      return Refuse("CASEMATE_SECRETS_TTL", ttl,
                    "providers (env, file, dotenv, cmd, vault, aws) with durations, as in vault=30s,aws=5m");
    }
    wanted.ttl_ms[std::string(scheme)] = *parsed;
  }
  return wanted;
}

}  // namespace casemate
