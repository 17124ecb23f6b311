#pragma once

namespace casemate {

// Turns SIGINT, SIGTERM and SIGHUP into a readable descriptor for Engine::Execute. The first cancels the run.
// The second gives the engine three more seconds to clean up; then, or at the third, the process exits at
// once with 128 and the first signal's number (the sandbox dies with its engine). SIGPIPE is ignored.
// One at a time in a process; the destructor puts the former handlers back.
class CancelSignals {
 public:
  CancelSignals();
  ~CancelSignals();
  CancelSignals(const CancelSignals&) = delete;
  CancelSignals& operator=(const CancelSignals&) = delete;

  // -1 when the system has no descriptor left; runs can then only be killed.
  int fd() const;
  // Cancels without a signal. Any thread.
  static void Cancel();
  // The first signal that came; 0 for none.
  static int received();
};

}  // namespace casemate
