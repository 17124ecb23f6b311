#pragma once

#include <cstdint>
#include <mutex>

#include "casemate/network.h"

namespace casemate::egress {

// The bytes and the rate of one run, over all its connections. Thread-safe.
class Meter {
 public:
  explicit Meter(const NetworkLimits& limits) : limits_(limits) {}

  // Counts bytes that are about to be moved. False when they are more than the run may move in all; sleeps
  // when they come faster than its rate.
  [[nodiscard]] bool Take(std::int64_t bytes);
  // How many bytes to move at a time, so that a slow rate is smooth.
  std::size_t piece_bytes() const;

 private:
  const NetworkLimits limits_;
  std::mutex mutex_;
  std::int64_t moved_ = 0;
  std::int64_t free_at_us_ = 0;  // when the bytes so far will have been in time
};

}  // namespace casemate::egress
