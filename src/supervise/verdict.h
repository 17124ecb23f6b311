#pragma once

#include <optional>

#include "casemate/backend.h"
#include "casemate/limits.h"
#include "casemate/status.h"

namespace casemate {

// What the engine knows of a run from outside the sandbox.
struct Evidence {
  // Why the engine itself ended the run; set once, by the first reason.
  std::optional<Status> killed_for;
  ExitReport exit;
  ResourceReading reading;  // after the end
};

// How the run ended. Pure. Nothing that the program says of itself is asked: an exit code of 137 or a SIGKILL
// of its own is kError; kMemoryLimit takes the kernel's count of out-of-memory kills.
Status Decide(const Evidence& evidence, const Limits& limits);

// The reason to end a run that still goes on, by its counters; nothing when there is none.
std::optional<Status> LimitExceeded(const ResourceReading& reading, const Limits& limits);

}  // namespace casemate
