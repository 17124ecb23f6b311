#pragma once

#include <span>
#include <string_view>

#include "casemate/result.h"

namespace casemate {

// The exit code of a whole `casemate run` for each status; kOwn stands for the program's own.
struct StatusExit {
  static constexpr int kOwn = -1;
  Status status;
  int code;
  std::string_view reason;
};
std::span<const StatusExit> StatusExits();

inline constexpr int kExitOk = 0;
inline constexpr int kExitUnhealthy = 1;  // doctor and gc: something is left to do
inline constexpr int kExitFailed = 125;   // our own fault
inline constexpr int kExitRefused = 126;  // refused before it ran
inline constexpr int kExitNothing = 127;  // no such program, interpreter or command
inline constexpr int kExitPipe = 141;     // 128 + SIGPIPE: whoever read our stdout is gone

// `cancel_signal` is the signal that cancelled the run; 0 when it was something else.
int ExitCodeOf(const ExecutionResult& result, int cancel_signal);

}  // namespace casemate
