#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/result.h"

namespace casemate {

// Where a value is not what its schema says.
struct SchemaViolation {
  std::string path;     // JSON Pointer into the value; "" is the value itself
  std::string message;  // one sentence; no trailing newline
};

// Whether `schema_text` is a JSON Schema (draft-07) that we can check against: kInvalidRequest with the
// place when not. References must stay inside the schema ("#/definitions/x"); nothing is ever fetched,
// and an "$id" below the root changes nothing unless it is a name ("#name").
// `format` and the content keywords are annotations, as draft-07 allows. Patterns are RE2's syntax (no
// look-around, no back-references), so that no value can make them slow.
Expected<void> ValidateSchema(std::string_view schema_text);

// Whether `value`, which may be hostile, meets the schema; the first violation when not. A schema that
// ValidateSchema refuses is a violation at "" too. Uses bounded steps and stack.
std::expected<void, SchemaViolation> CheckAgainstSchema(const JsonText& value, std::string_view schema_text);

}  // namespace casemate
