#pragma once

#include <cstdint>
#include <string>

#include "casemate/error.h"
#include "casemate/limits.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// Whether `base` can open a session: it holds no program, and asks for nothing that only a run has.
// kInvalidRequest otherwise.
Expected<void> CheckSessionBase(const ExecutionRequest& base);

// A whole request for one step: `step` in the session that was opened with `base`. kInvalidRequest for what
// is the session's to say, such as its variables or its memory.
Expected<ExecutionRequest> MakeStepRequest(const ExecutionRequest& base, const ExecutionRequest& step);

struct StepCount {
  std::int64_t step = 0;        // its number, from 1
  std::int64_t interrupts = 0;  // sent to the interpreter before it
  std::string_view context;     // whose variables it has; "" for the session's own
};
// What the interpreter is told of it (runtime/python/session.py). `input` may be null.
std::string EncodeStep(const ExecutionRequest& step, const Limits& limits, const StepCount& count,
                       const JsonText* input);

}  // namespace casemate
