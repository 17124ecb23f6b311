#pragma once

#include <string>
#include <string_view>

namespace casemate {

// The length of the well-formed UTF-8 sequence (RFC 3629) at the start of `text`; 0 when there is none.
std::size_t Utf8SequenceLength(std::string_view text);

bool IsValidUtf8(std::string_view text);

// `text` with each byte that is not part of a well-formed sequence replaced by U+FFFD.
std::string ReplaceInvalidUtf8(std::string_view text);

}  // namespace casemate
