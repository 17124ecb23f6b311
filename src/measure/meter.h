#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "casemate/engine.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "measure/latency.h"

namespace casemate {

struct StepTimes {
  std::string step;
  Latencies times;
};

// What was measured of a number of runs.
struct MeterReport {
  std::int64_t runs = 0;
  std::map<Status, std::int64_t> by_status;
  Latencies whole;               // from the call of the engine to its return
  std::vector<StepTimes> steps;  // of ExecutionResult::timings, in the order in which they first came
};

// Collects the times of runs. Any thread.
class Meter {
 public:
  void Add(std::int64_t whole_us, const ExecutionResult& result);

  // Of the last `runs_max` runs; `runs` and `by_status` are of all.
  MeterReport Report(std::size_t runs_max = std::numeric_limits<std::size_t>::max()) const;

 private:
  struct Run {
    std::int64_t whole_us;
    std::vector<std::int64_t> step_us;  // by the index in step_names_; kNone where it has no such step
  };
  static constexpr std::int64_t kNone = -1;

  mutable std::mutex mutex_;
  std::vector<std::string> step_names_;
  std::vector<Run> runs_;
  std::map<Status, std::int64_t> by_status_;
};

struct MeasureOptions {
  std::int64_t rounds = 100;  // runs in all
  int clients = 1;            // at one time, each with its next run when the last has ended
  int cancel_fd = -1;         // as that of Engine::Execute; a cancelled run is not counted
};

// Runs `request` again and again into `meter`. Returns the first result that says nothing about the program's
// own time, because it never ran or the engine failed, and stops at it; nullopt when there was none.
std::optional<ExecutionResult> Measure(Engine& engine, const ExecutionRequest& request,
                                       const MeasureOptions& options, Meter& meter);

}  // namespace casemate
