#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "casemate/backend.h"
#include "casemate/limits.h"
#include "casemate/result.h"
#include "casemate/status.h"

namespace casemate {

// Sees what a run gives while it goes on, on the supervisor's thread. Views are valid during the call.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void OnStdout(std::string_view text) = 0;
  virtual void OnStderr(std::string_view text) = 0;
  // Bytes of the result channel, as hostile as they come.
  virtual void OnResultBytes(std::string_view bytes) = 0;
  virtual void OnDenial(const Denial& denial) = 0;  // at its first sight
  // The exit code with which the program has ended by its own account; asked for after OnResultBytes. From
  // then on it may be killed: what it could do by saying so, it can do by exiting.
  virtual std::optional<int> exit_code_told() const { return std::nullopt; }
};

// What goes into a run.
struct RunInput {
  std::string_view request_bytes;  // for Channel::kRequest
  std::string_view stdin_bytes;    // for Channel::kStdin, before stdin_fd's
  int stdin_fd = -1;               // not owned; -1 for none
  int cancel_fd = -1;              // not owned; ends the run when it becomes readable
  bool keep_streams = true;        // Outcome has the texts; the observer sees them in any case
  bool until_gone = false;  // a program that tells its end is still waited for until nothing of it lives
  bool cancel_on_hang_up =
      false;          // cancel_fd ends the run when its other end closes or stops sending instead
  Terminal terminal;  // of a sandbox that has one; its Channel::kStdout takes the size
  // A step of a session: its program tells the end of the step and lives on; also when it was to be killed,
  // which its sandbox may have turned into an interrupt.
  bool step = false;
};

// All that is known of a run from outside.
struct Outcome {
  Status status = Status::kFailed;
  ExitReport exit;
  std::string stdout_text;  // at most stdout_bytes_max
  std::string stderr_text;
  Truncated truncated;
  std::vector<Denial> denials;  // each (kind, what) once, with its count
  Usage usage;
  ResourceReading reading;
};

// Watches `sandbox` from its program's first instruction until nothing of it lives, or until a program whose
// word is believed (Sandbox::writes_directly) tells its end, unless `until_gone`: feeds it, reads it (each
// stream to its limit, then ends it), answers its refused calls, counts its resources every 10 ms and
// holds its deadline. Blocks; one poll loop on the calling thread. Memory is bounded by the limits.
Outcome Supervise(Sandbox& sandbox, const Limits& limits, const RunInput& input, RunObserver& observer);

}  // namespace casemate
