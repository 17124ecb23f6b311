#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace casemate {

// 128 random bits behind a word that says of what.
std::string MakeSessionId();
std::string MakeCheckpointId();

// Whether a context may have this name; "" is the session's own.
bool IsContextName(std::string_view name);

std::int64_t UnixMs();

}  // namespace casemate
