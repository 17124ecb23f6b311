#pragma once

#include <vector>

#include "redact/rules/rule.h"

namespace casemate {

// Chooses the rarest bytes of each keyword, and shares the keywords out over the prefilter's tables so that
// as little ordinary text as possible passes them: each byte of a group's keywords stands for its two halves,
// and a table lets through all that can be put together of them. Takes milliseconds for hundreds of keywords.
void PlanKeywords(std::vector<Rule>& rules);

// What the prefilter takes for one byte of a keyword: both cases where the rule does not care.
bool IgnoresCase(const Rule& rule);

}  // namespace casemate
