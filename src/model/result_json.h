#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/policy.h"
#include "casemate/result.h"
#include "model/json_fields.h"
#include "model/json_writer.h"

namespace casemate {

// `result` as the one JSON object that every surface gives, its fields in the contract's order. All fields
// are always there: an absent value is null. The text is valid JSON whatever bytes the program wrote.
std::string EncodeResult(const ExecutionResult& result);
// The same as the next value of `writer`.
void WriteResult(JsonWriter& writer, const ExecutionResult& result);

// The inverse of EncodeResult, for clients: `id` and `status` must be there, what else is missing has its
// default, and fields of a newer engine are passed over. kInvalidRequest with one sentence for what is no
// result object.
Expected<ExecutionResult> DecodeResult(std::string_view text);
Expected<ExecutionResult> ReadResult(const JsonField& field);

// Parts of a result that events hold too.
void WriteDisplay(JsonWriter& writer, const Display& display);
void WriteError(JsonWriter& writer, const ProgramError& error);
void WriteFinding(JsonWriter& writer, const Finding& finding);
void WriteComplexity(JsonWriter& writer, const Complexity& complexity);
void WriteDenial(JsonWriter& writer, const Denial& denial);
Expected<Display> ReadDisplay(const JsonField& field);
Expected<ProgramError> ReadError(const JsonField& field);
Expected<Denial> ReadDenial(const JsonField& field);

// {"tier", "enforced": [{"guarantee", "mechanism"}], "not_enforced": [{"guarantee", "reason", "fallback",
// "remedy"}]}
std::string EncodeEnforcement(const EnforcementReport& report);
// The same as the next value of `writer`.
void WriteEnforcement(JsonWriter& writer, const EnforcementReport& report);

}  // namespace casemate
