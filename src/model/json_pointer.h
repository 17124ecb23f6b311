#pragma once

#include <string>
#include <string_view>

namespace casemate {

// One step of a JSON Pointer (RFC 6901), without its "/".
std::string EscapePointerToken(std::string_view name);
std::string UnescapePointerToken(std::string_view token);

}  // namespace casemate
