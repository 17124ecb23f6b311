#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "casemate/checks.h"

namespace casemate {

// The tables that tools/check_tables.py makes of profiles/checks/python.toml, constants of the binary.
struct CheckRule {
  std::string_view id;
  std::string_view kind;
  Severity severity;
  std::string_view reason;  // "" when each name has its own
  std::string_view remedy;
};
std::span<const CheckRule> CheckRules();

struct RuleName {
  int rule;               // an index of CheckRules()
  std::string_view name;  // "os", "os.exec*", "f_back"
  std::string_view reason;
};
std::span<const RuleName> RuleNames();  // sorted by rule, then by name

std::span<const std::string_view> AllowedDunders();   // sorted
std::span<const std::string_view> StandardModules();  // sorted; of the interpreter that built us

// A character outside ASCII that Python reads as `plain` in a name (PEP 3131).
struct Lookalike {
  std::uint32_t code_point;
  std::string_view plain;
};
std::span<const Lookalike> Lookalikes();  // sorted by code point

// The rule of that kind; each kind has exactly one.
const CheckRule& RuleOfKind(std::string_view kind);

// The row of the kind's rule that names `name`: exactly for modules (by each leading part: "os.path" is "os")
// and attributes, also by "prefix*" for callables. nullptr when there is none.
const RuleName* FindModule(std::string_view dotted);
const RuleName* FindCallable(std::string_view dotted);
const RuleName* FindAttribute(std::string_view name);
const RuleName* FindAssembled(std::string_view name);

// Whether `name` is __like_this__ and not among those that are harmless.
bool IsForbiddenDunder(std::string_view name);
// Whether some callable that a rule names begins with "name.".
bool LeadsToCallable(std::string_view dotted);
bool IsStandardModule(std::string_view name);

// `text` with `name` in the place of "{name}".
std::string Fill(std::string_view text, std::string_view name);

// A finding of that kind's rule, without a place.
Finding MakeFinding(std::string_view kind, std::string_view name);

// `name` as Python reads it: with its lookalikes of ASCII letters as these. Names of ASCII are unchanged.
std::string PlainName(std::string_view name);

}  // namespace casemate
