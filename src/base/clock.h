#pragma once

#include <cstdint>

namespace casemate {

// CLOCK_MONOTONIC in microseconds: jumps of the wall clock do not touch it.
std::int64_t MonotonicUs();
// CLOCK_REALTIME in microseconds since 1970.
std::int64_t WallClockUs();
// CLOCK_THREAD_CPUTIME_ID in microseconds: the processor time that the calling thread has used.
std::int64_t ThreadCpuUs();

// A point of monotonic time.
class Deadline {
 public:
  static Deadline After(std::int64_t milliseconds) { return Deadline(MonotonicUs() + milliseconds * 1000); }

  static Deadline AtUs(std::int64_t monotonic_us) { return Deadline(monotonic_us); }

  bool Passed() const { return MonotonicUs() >= at_us_; }
  std::int64_t at_us() const { return at_us_; }
  // What is left, rounded up, never negative; fit for poll(2).
  std::int64_t RemainingMs() const;

 private:
  explicit Deadline(std::int64_t at_us) : at_us_(at_us) {}
  std::int64_t at_us_;
};

}  // namespace casemate
