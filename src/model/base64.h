#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace casemate {

// The standard alphabet of RFC 4648 section 4, with padding, without line breaks.
std::string EncodeBase64(std::string_view bytes);

// Takes exactly what EncodeBase64 writes: no spaces, full padding, unused bits zero.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace casemate
