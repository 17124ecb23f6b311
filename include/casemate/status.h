#pragma once

#include <optional>
#include <string_view>

namespace casemate {

// How a run ended; exactly one, decided from outside the sandbox and never overwritten once set.
enum class Status {
  kOk,
  kError,          // the program raised or exited non-zero
  kTimeout,        // wall time
  kCpuLimit,       // CPU time of all its processes together
  kMemoryLimit,    // any memory: heap, mappings, tmpfs, shared memory, pipes
  kProcessLimit,   // processes and threads together
  kDiskLimit,      // bytes or files in its writable file systems
  kOutputLimit,    // stdout or stderr
  kResultInvalid,  // not JSON, too large, or against its schema
  kRejected,       // refused before it ran: a check, or an input against its schema
  kDenied,         // killed for a forbidden act
  kCancelled,
  kUnavailable,  // a required guarantee or backend is missing; it never ran
  kFailed,       // Casemate's own fault
};

// The name used in JSON and by every surface: "ok", "memory_limit", ...
std::string_view StatusName(Status status);
std::optional<Status> ParseStatus(std::string_view name);

// False only for the statuses that guarantee that no instruction of the program ran.
bool MayHaveRun(Status status);

}  // namespace casemate
