#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "redact/rules/rule.h"

namespace casemate {

// A rule's own tests. `{{alnum:36}}` in an example stands for 36 characters of that alphabet, so that no file
// of ours holds what looks like a credential; the part between ⟦ and ⟧ written as << and >> is what must go.
struct RuleExamples {
  std::string rule;
  std::vector<std::string> match;     // each holds something that the rule takes out
  std::vector<std::string> no_match;  // this rule leaves each as it is
};

// A file of rules: a block for ReadRuleBlock, and the examples.
struct RuleFile {
  std::string block;
  std::vector<RuleExamples> examples;
};

// Reads TOML: [[rule]] tables with name, set, kind, keywords, shapes, pattern, replacement, validator,
// ignore_case, boundary ("both", "left", "right", "none"), lead ("hex:32:3"), reason, match, no_match. All
// but the boundary, ignore_case, validator, lead and what its kind does not use are needed. Each pattern is
// compiled by who uses it. kInvalidRequest with the place for anything else. `name` is for messages.
Expected<RuleFile> ReadRuleFile(std::string_view name, std::string_view toml);

// Several blocks as one, with their keywords shared out anew.
std::string JoinRuleBlocks(const std::vector<std::string>& blocks);

// The rules of a block that ReadRuleFile made; views into it.
std::vector<Rule> ReadRuleBlock(std::string_view block);

}  // namespace casemate
