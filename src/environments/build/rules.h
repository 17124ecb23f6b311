#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// Which packages an environment may have: a text with one rule a line, "allow NAME" or "deny NAME", where
// NAME may end with "*" and a "#" begins a comment. With any `allow`, all else is denied; a `deny` always
// wins.
class PackageRules {
 public:
  // kInvalidRequest with the line. `name` is for the message.
  static Expected<PackageRules> Parse(std::string_view text, std::string_view name);
  void Allow(std::string_view pattern);
  void Deny(std::string_view pattern);

  // `package` is normalized. kInvalidRequest with the rule that refuses it.
  Expected<void> Check(std::string_view package) const;

 private:
  std::vector<std::string> allowed_;
  std::vector<std::string> denied_;
};

}  // namespace casemate
