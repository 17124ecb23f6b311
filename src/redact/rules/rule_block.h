#pragma once

#include <string>

#include "redact/rules/rule.h"

namespace casemate {

// Fields end with \x1f, elements of a list with \x1d: none of them may be in a rule.
inline constexpr char kFieldEnd = '\x1f';
inline constexpr char kElementEnd = '\x1d';

void AppendRule(std::string& block, const Rule& rule);

}  // namespace casemate
