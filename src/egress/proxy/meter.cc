#include "egress/proxy/meter.h"

#include <time.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace casemate::egress {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::size_t kPieceMax = std::size_t{1} << 20;

}  // namespace

std::size_t Meter::piece_bytes() const {
  if (limits_.bytes_per_second == 0) return kPieceMax;
  return static_cast<std::size_t>(std::clamp<std::int64_t>(limits_.bytes_per_second / 8, 128, kPieceMax));
}

bool Meter::Take(std::int64_t bytes) {
  std::int64_t wait_us = 0;
  {
    const std::lock_guard lock(mutex_);
    if (bytes > limits_.bytes_max - moved_) {
      moved_ = limits_.bytes_max;
      return false;
    }
    moved_ += bytes;
    if (limits_.bytes_per_second == 0) return true;
    const std::int64_t now = MonotonicUs();
    wait_us = std::max<std::int64_t>(free_at_us_ - now, 0);
    free_at_us_ = std::max(free_at_us_, now) + bytes * kSecondUs / limits_.bytes_per_second;
  }
  const timespec pause{wait_us / kSecondUs, wait_us % kSecondUs * 1000};
  timespec left = pause;
  while (wait_us > 0 && nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  return true;
}

}  // namespace casemate::egress
