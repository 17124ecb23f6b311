#include "surfaces/cli/exit_code.h"

#include <array>
#include <csignal>

namespace casemate {
namespace {

constexpr std::array kStatusExits = {
    StatusExit{Status::kOk, 0, "the program's own"},
    StatusExit{Status::kError, StatusExit::kOwn, "the program's own, or 128 and the signal that killed it"},
    StatusExit{Status::kTimeout, 124, "as timeout(1)"},
    StatusExit{Status::kCpuLimit, 128 + SIGXCPU, "as a shell tells of RLIMIT_CPU"},
    StatusExit{Status::kMemoryLimit, 128 + SIGKILL, "as Docker tells of an out-of-memory kill"},
    StatusExit{Status::kProcessLimit, 122, "no signal stands for it; next below the other refusals"},
    StatusExit{Status::kDiskLimit, 128 + SIGXFSZ, "as a shell tells of RLIMIT_FSIZE"},
    StatusExit{Status::kOutputLimit, kExitPipe, "as when the reader of a pipe has had enough"},
    StatusExit{Status::kResultInvalid, 123, "no signal stands for it; next below the other refusals"},
    StatusExit{Status::kRejected, kExitRefused, "refused before it ran"},
    StatusExit{Status::kDenied, 128 + SIGSYS, "as a shell tells of a forbidden system call"},
    StatusExit{Status::kCancelled, 128 + SIGINT, "as a shell tells of Ctrl-C, or 128 and the signal it was"},
    StatusExit{Status::kUnavailable, kExitRefused, "refused before it ran"},
    StatusExit{Status::kFailed, kExitFailed, "as Docker tells of its own failure"},
};

}  // namespace

std::span<const StatusExit> StatusExits() { return kStatusExits; }

int ExitCodeOf(const ExecutionResult& result, int cancel_signal) {
  if (!MayHaveRun(result.status) && result.error && result.error->type == "casemate.not_found") {
    return kExitNothing;
  }
  if (result.status == Status::kCancelled && cancel_signal != 0) return 128 + cancel_signal;
  for (const StatusExit& row : kStatusExits) {
    if (row.status != result.status) continue;
    if (row.code != StatusExit::kOwn) return row.code;
    if (result.signal) return 128 + *result.signal;
    // A program that raised without an exit code of its own still must not look like a success.
    return result.exit_code.value_or(0) != 0 ? *result.exit_code : 1;
  }
  return kExitFailed;
}

}  // namespace casemate
