#pragma once

#include <string>
#include <string_view>

namespace casemate {

// Appends `bytes` with the escapes that RFC 8259 demands inside a JSON string, and no others. Adds no
// quotes and does not look at UTF-8.
void AppendJsonEscaped(std::string& out, std::string_view bytes);

// Appends `bytes` as a complete JSON string, each byte that is not UTF-8 replaced by U+FFFD, between `before`
// and `after`, which are JSON's own punctuation.
void AppendJsonString(std::string& out, std::string_view bytes, std::string_view before,
                      std::string_view after);

}  // namespace casemate
