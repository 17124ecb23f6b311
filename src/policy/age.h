#pragma once

#include <cstdint>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// Microseconds from "90d", a whole number of days, or from what ParseDurationMs takes (policy/units.h); at
// most 100 years. kInvalidRequest with one sentence.
Expected<std::int64_t> ParseAgeUs(std::string_view text);

}  // namespace casemate
