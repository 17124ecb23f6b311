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

// A whole request for one step: `step` in the session that was opened with `base`. kInvalidRequest for what is
// the session's to say, such as its variables or its memory.
Expected<ExecutionRequest> MakeStepRequest(const ExecutionRequest& base, const ExecutionRequest& step);

// What the interpreter is told of it (runtime/python/session.py). `input` may be null.
std::string EncodeStep(const ExecutionRequest& step, const Limits& limits, std::int64_t number,
                       const JsonText* input);

}  // namespace casemate
