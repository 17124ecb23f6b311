#pragma once

#include <cstdint>
#include <string>

namespace casemate {

// 128 random bits behind a word that says of what.
std::string MakeSessionId();
std::string MakeCheckpointId();

std::int64_t UnixMs();

}  // namespace casemate
