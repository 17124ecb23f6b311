#pragma once

#include <cstdint>
#include <string>

#include "measure/meter.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

// What was measured, and of what.
struct BenchReport {
  std::string engine;  // "warm", "cold", or the resident one
  std::string program;
  std::int64_t rounds = 0;  // that were asked for
  int clients = 1;
  double seconds = 0;
  MeterReport times;
};

// A line of what is measured and how far it is, then a table of times: the whole run and each step, with
// percentiles. `unicode`: the text may hold more than ASCII.
std::string BenchTable(const BenchReport& report, const Style& style, bool unicode);

// The whole runs as bars, their times on a logarithmic scale.
std::string BenchHistogram(const BenchReport& report, const Style& style, bool unicode);

// {"engine", "program", "rounds", "runs", "clients", "seconds", "rate", "statuses": {status: count}, "whole":
// {"count", "min_us", "mean_us", "max_us", "p50_us", ..., "histogram": [{"from_us", "below_us", "count"}]},
// "steps": [{"step", and the same}]}, with a newline.
std::string BenchJson(const BenchReport& report);

}  // namespace casemate
