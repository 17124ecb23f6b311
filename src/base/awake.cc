#include "base/awake.h"

#include <sched.h>

#include <atomic>

#include "base/clock.h"

namespace casemate {
namespace {

constinit std::atomic_flag awake;

}  // namespace

int PollAwake(std::span<pollfd> entries, std::int64_t until_us) {
  if (MonotonicUs() >= until_us || awake.test_and_set()) return 0;
  int ready = 0;
  while ((ready = poll(entries.data(), entries.size(), 0)) == 0 && MonotonicUs() < until_us) sched_yield();
  awake.clear();
  return ready;
}

}  // namespace casemate
