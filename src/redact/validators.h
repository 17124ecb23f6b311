#pragma once

#include <string_view>

#include "redact/rules/rule.h"

namespace casemate {

// Whether `text`, which has the form that its rule asks for, passes the rule's further check.
bool Passes(Validator validator, std::string_view text);

// ISO 13616: known country, its length, and the check digits; spaces and dashes are passed over.
bool IsIban(std::string_view text);

}  // namespace casemate
