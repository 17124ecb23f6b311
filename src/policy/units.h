#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// Text that people write, in Docker's units. Errors are kInvalidRequest; none of these checks a limit's
// range.

// "1024", "512k", "128m", "1.5g", "2t", with an optional "b" or "ib"; powers of 1024, either case.
Expected<std::int64_t> ParseBytes(std::string_view text);

// Milliseconds from "10s", "1m30s", "500ms", "1.5h"; a bare number is seconds. Rounds to the nearest.
Expected<std::int64_t> ParseDurationMs(std::string_view text);

// A positive decimal: "0.5", "2".
Expected<double> ParseCpus(std::string_view text);

// The largest unit with at most one decimal: "256 MiB", "1.5 GiB", "17 bytes". For people: may round.
std::string FormatBytes(std::int64_t bytes);

// "1h", "1m30s", "500ms", "1.25s"; ParseDurationMs gives `ms` back.
std::string FormatDuration(std::int64_t ms);

}  // namespace casemate
