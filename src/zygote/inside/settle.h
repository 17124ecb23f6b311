#pragma once

#include <cstdint>

namespace casemate {

// Moves the writable private memory of this process into a memfd and maps it back, copy-on-write, at the same
// addresses. From then on fork(2) has no anonymous page to copy an entry for, a child faults in only what it
// touches, and what nobody writes is shared by all. The stack stays. Returns the bytes moved, or -errno with
// the memory as it was. The process has one thread and all signals blocked.
std::int64_t SettleMemory();

// To be called once the process has used what its children will use. What it has read since SettleMemory(),
// page by page, is in its page tables, and a fork copies these. What it has written is moved into the memfd
// as well. One thread and blocked signals, as for SettleMemory().
void UseSettledMemory();

// In each child, first: makes the pages that its parent had written its own, all at once (MADV_POPULATE_WRITE
// of madvise(2)). It will write to them, and one by one each would cost a fault. On a kernel before
// Linux 5.14 they do.
void TakeRewrittenPages();

}  // namespace casemate
