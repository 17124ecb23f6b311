#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace casemate {

// How a program's text is looked at before it runs. A filter for mistakes with a clear answer, never the
// boundary: that is the isolation tier, which is there in each of the three.
enum class ChecksMode {
  kOpen,        // runs as it is
  kChecked,     // parsed here, and refused by the rules of profiles/checks/
  kRestricted,  // compiled with RestrictedPython, and run under its guards
};
std::string_view ChecksModeName(ChecksMode mode);  // "open", "checked", "restricted"
std::optional<ChecksMode> ParseChecksMode(std::string_view name);

// What is looked for. The limits are those of ComplexityNames(); what has none is not limited.
struct ChecksPolicy {
  ChecksMode mode = ChecksMode::kOpen;
  std::vector<std::string> allowed_packages;       // may be imported although the rules forbid it
  std::map<std::string, std::int64_t> complexity;  // name -> the most that is allowed
  friend bool operator==(const ChecksPolicy&, const ChecksPolicy&) = default;
};

// An error refuses the program, a warning does not.
enum class Severity { kWarning, kError };
std::string_view SeverityName(Severity severity);  // "warning", "error"
std::optional<Severity> ParseSeverity(std::string_view name);

// One thing that a check has found.
struct Finding {
  std::string rule;  // "forbidden-import"
  Severity severity = Severity::kError;
  std::int64_t line = 0;    // from 1; 0 when it is about the text as a whole
  std::int64_t column = 0;  // from 1, in bytes
  std::string snippet;      // the line's text, cut to what can be shown
  std::string reason;       // a sentence
  std::string remedy;       // what to do
  friend bool operator==(const Finding&, const Finding&) = default;
};

// How involved a program, or one of its functions, is.
struct Complexity {
  std::string name;             // "" for the whole program, otherwise "Class.method"
  std::int64_t line = 1;        // where it begins
  std::int64_t cyclomatic = 1;  // 1 and one for each decision: if, for, while, except, case, and, or, ...
  std::int64_t nesting = 0;     // the deepest nesting of blocks
  std::int64_t loops = 0;       // with comprehensions
  std::int64_t loop_depth =
      0;  // the deepest nesting of loops: the degree of its running time, if each is linear
  std::int64_t calls = 0;
  std::int64_t functions = 0;  // defined in it, with lambdas
  std::int64_t lines = 0;
  friend bool operator==(const Complexity&, const Complexity&) = default;
};

}  // namespace casemate
