#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/policy.h"

namespace casemate {

// Makes a complete policy of a built-in profile and a request's overrides. Stateless, thread-safe, no I/O.
class PolicyResolver {
 public:
  // The built-in profiles, the default first.
  static std::span<const std::string_view> ProfileNames();
  // A built-in profile's TOML text; "" when there is none of that name.
  static std::string_view ProfileText(std::string_view profile);

  // `overrides` are by the field names of Limits. `require_limits` adds to what the profile says. Errors:
  // kInvalidRequest for an unknown profile or an impossible limit.
  Expected<Policy> Resolve(std::string_view profile, const std::map<std::string, double>& overrides,
                           bool require_limits) const;
};

}  // namespace casemate
