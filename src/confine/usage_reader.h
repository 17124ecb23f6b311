#pragma once

#include <sys/types.h>

#include "casemate/backend.h"
#include "casemate/limits.h"
#include "confine/cgroup.h"

namespace casemate {

// Adds up what the kernel tells of one sandbox: its cgroup's counters, and a sample of its tree for what they
// leave out. Peaks and sums never fall. One owner, one thread.
class UsageReader {
 public:
  // What only the tier knows: how full the sandbox's own files are. Set before Read().
  ResourceReading& last() { return last_; }

  // The same from the scratch file system itself, of which this is a descriptor; nothing when it is -1.
  void TakeScratch(int scratch);

  // Memory of the sandbox that is no process's own, as it is now: added to what a sample finds.
  void set_shared_bytes(std::int64_t bytes) { shared_bytes_ = bytes; }

  // `tree_root`: its process and all descendants are the sandbox; -1 once it is reaped. `cgroup` may be null.
  const ResourceReading& Read(Cgroup* cgroup, pid_t tree_root, const Limits& limits);

  // Waits for the end of the tree's root, a child of ours or, when another has waited for it, one that is
  // gone. Takes what the kernel says of it; the memory is that of one process alone, so only without a
  // cgroup's.
  void Reap(int pidfd, const Cgroup* cgroup);

 private:
  void Sample(pid_t tree_root, const Limits& limits);

  ResourceReading last_;
  std::int64_t shared_bytes_ = 0;
};

}  // namespace casemate
