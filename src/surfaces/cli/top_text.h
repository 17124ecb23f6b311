#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "surfaces/cli/terminal.h"

namespace casemate {

// One look at an engine's metrics.
struct TopSample {
  std::int64_t at_us = 0;
  // "name{label="value"}" -> value, as Prometheus' text format has them. Lines of another form are left out.
  std::map<std::string, double, std::less<>> series;
};
TopSample ReadMetrics(std::string_view text, std::int64_t at_us);

// What happens in an engine between two looks at it, as a screen of lines.
std::string TopText(const TopSample& before, const TopSample& now, const Style& style);

}  // namespace casemate
