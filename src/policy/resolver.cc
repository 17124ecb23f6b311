#include "policy/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/nearest.h"
#include "policy/profile.h"
#include "policy/validate.h"

namespace casemate {
namespace embedded {
std::string_view PolicyProfile(std::string_view path);
}  // namespace embedded

namespace {

constexpr std::array<std::string_view, 4> kProfiles = {"default", "strict", "data", "recorded"};

// The default profile is Limits{} itself (a test holds them together), so that the usual run parses nothing.
Expected<Policy> BaseOf(std::string_view profile) {
  if (profile == "default") return Policy{};
  if (std::find(kProfiles.begin(), kProfiles.end(), profile) == kProfiles.end()) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("There is no policy named \"{}\"{}", profile, SuggestName(profile, kProfiles)));
  }
  return ParseProfile(profile, PolicyResolver::ProfileText(profile));
}

}  // namespace

std::span<const std::string_view> PolicyResolver::ProfileNames() { return kProfiles; }

std::string_view PolicyResolver::ProfileText(std::string_view profile) {
  return embedded::PolicyProfile(fmt::format("profiles/policies/{}.toml", profile));
}

Expected<Policy> PolicyResolver::Resolve(std::string_view profile,
                                         const std::map<std::string, double>& overrides,
                                         bool require_limits) const {
  auto policy = BaseOf(profile);
  if (!policy) return policy;
  auto limits = OverrideLimits(policy->limits, overrides);
  if (!limits) return std::unexpected(std::move(limits.error()));
  policy->limits = *limits;
  policy->require_limits = policy->require_limits || require_limits;
  return policy;
}

}  // namespace casemate
