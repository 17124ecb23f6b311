#pragma once

#include <string>

#include "casemate/policy.h"
#include "casemate/result.h"
#include "model/json_writer.h"

namespace casemate {

// `result` as the one JSON object that every surface gives, its fields in the contract's order. All fields
// are always there: an absent value is null. The text is valid JSON whatever bytes the program wrote.
std::string EncodeResult(const ExecutionResult& result);

// {"tier", "enforced": [{"guarantee", "mechanism"}], "not_enforced": [{"guarantee", "reason", "fallback",
// "remedy"}]}
std::string EncodeEnforcement(const EnforcementReport& report);
// The same as the next value of `writer`.
void WriteEnforcement(JsonWriter& writer, const EnforcementReport& report);

}  // namespace casemate
