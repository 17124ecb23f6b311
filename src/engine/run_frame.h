#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "engine/scrub.h"

namespace casemate {

// What a run and a session's step have around them.

std::string MakeRunId();  // 64 random bits

std::string HashProgram(const ExecutionRequest& request);

// The last events of a run.
void EmitEnd(EventSink& sink, const CleanResult& clean);

// Names each step of a run with its cost.
class Stopwatch {
 public:
  explicit Stopwatch(ExecutionResult& result) : result_(result), last_us_(MonotonicUs()) {}
  void Mark(std::string_view step) {
    const std::int64_t now = MonotonicUs();
    result_.timings.push_back({std::string(step), now - last_us_});
    last_us_ = now;
  }
  void Take(const std::vector<Timing>& timings) {
    result_.timings.insert(result_.timings.end(), timings.begin(), timings.end());
    last_us_ = MonotonicUs();
  }

 private:
  ExecutionResult& result_;
  std::int64_t last_us_;
};

}  // namespace casemate
