#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "casemate/limits.h"
#include "casemate/result.h"

namespace casemate {

// The deepest nesting that any caller may allow: the parser uses some 300 bytes of stack a level.
inline constexpr std::size_t kJsonDepthCeiling = 1000;

struct JsonLimits {
  std::size_t bytes_max = static_cast<std::size_t>(kMiB);  // of the text as given
  std::size_t depth_max = 64;  // arrays and objects around a value; above kJsonDepthCeiling counts as it
};

// Why a text is not JSON that we take.
struct JsonError {
  enum class Kind {
    kSyntax,        // against RFC 8259
    kSize,          // longer than bytes_max
    kDepth,         // nested deeper than depth_max
    kDuplicateKey,  // one object has the same key twice
    kUtf8,          // bytes that are not UTF-8
    kSurrogate,     // an escaped half of a surrogate pair
    kNumber,        // an exponent beyond 2^31
  };
  Kind kind = Kind::kSyntax;
  std::string message;     // one sentence with the place; no trailing newline
  std::size_t offset = 0;  // bytes before the place (for a duplicate key: the end of its object)
  std::size_t line = 1;    // of the place, from 1
};

// The stable name of `kind`: "syntax", "size", "depth", "duplicate_key", "utf8", "surrogate", "number".
std::string_view JsonErrorKindName(JsonError::Kind kind);

// Checks `text`, which may be hostile, against RFC 8259 and `limits`, and returns it in its one compact
// form: no spaces, strings with the fewest escapes, numbers to the letter. ParseJson(x.text()) == x. Takes
// O(n log n) time and O(n) memory. Never throws on bad input.
std::expected<JsonText, JsonError> ParseJson(std::string_view text, const JsonLimits& limits = {});

}  // namespace casemate
