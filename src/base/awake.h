#pragma once

#include <poll.h>

#include <cstdint>
#include <span>

namespace casemate {

// As poll(2) until `until_us` (MonotonicUs()), but without sleeping: what comes within some hundred
// microseconds comes before a processor has fallen asleep and been woken again, in a virtual machine above
// all (25 us each time). Yields to whoever has work. One thread of a process at a time: 0, at once, in any
// other, as when nothing has come.
int PollAwake(std::span<pollfd> entries, std::int64_t until_us);

}  // namespace casemate
