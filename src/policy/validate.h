#pragma once

#include <map>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/limits.h"
#include "policy/limit_table.h"

namespace casemate {

// Refuses the first impossible limit with one sentence: its name, what it is, what it may be, and why.
// Limits that only make each other moot are fine: tmp_bytes above memory_bytes (memory wins), cpu_time_ms
// above cpus times wall_time_ms, file_bytes_max above tmp_bytes.
Expected<void> ValidateLimits(const Limits& limits);

// The same for one field, also for what is no number or no whole one.
Expected<void> ValidateLimit(const LimitField& field, double value);

// `base` with `overrides`, by field names, each validated.
Expected<Limits> OverrideLimits(Limits base, const std::map<std::string, double>& overrides);

// SuggestName() over the names of all limits.
std::string SuggestLimit(std::string_view name);

}  // namespace casemate
