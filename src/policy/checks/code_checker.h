#pragma once

#include <string_view>
#include <vector>

#include "casemate/checks.h"
#include "casemate/error.h"

namespace casemate {

struct CheckReport {
  std::vector<Finding> findings;       // in the order of the text; at most kFindingsMax
  bool cut = false;                    // there were more
  std::vector<Complexity> complexity;  // the program, then each function; empty when the text cannot be read

  // Whether an error is among the findings.
  bool refused() const;
};

inline constexpr std::size_t kFindingsMax = 1000;

// Looks at a Python program's text by the rules of profiles/checks/python.toml. Pure: no input, no output, no
// state; thread-safe. Bounded in time and memory for any bytes. It is a filter for mistakes, and says clearly
// what it refuses; what gets past it is held by the sandbox.
class CodeChecker {
 public:
  // Of `policy`, the mode is of no meaning here. kInvalidRequest for a limit that there is not, a negative
  // one, and a package that is no dotted name.
  static Expected<CodeChecker> Make(ChecksPolicy policy);

  CheckReport Check(std::string_view source) const;
  // The limits alone, for a program whose words are for another judge.
  CheckReport CheckComplexity(std::string_view source) const;

 private:
  explicit CodeChecker(ChecksPolicy policy) : policy_(std::move(policy)) {}
  CheckReport Run(std::string_view source, bool rules) const;

  ChecksPolicy policy_;
};

}  // namespace casemate
