#pragma once

namespace casemate {

// Turns SIGINT, SIGTERM and SIGHUP into a readable descriptor. The first one makes it readable; the second
// ends the process at once with 128 and its number, and every sandbox dies with it. SIGPIPE is ignored. One
// at a time in a process; the destructor puts the former handlers back.
class ServeSignals {
 public:
  ServeSignals();
  ~ServeSignals();
  ServeSignals(const ServeSignals&) = delete;
  ServeSignals& operator=(const ServeSignals&) = delete;

  // -1 when the system has no descriptor left.
  int fd() const;
};

}  // namespace casemate
