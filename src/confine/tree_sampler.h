#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace casemate {

// What a process tree uses right now, from /proc: the fallback where the host gives no cgroup. A sample
// sees nothing of what lived and died between two looks.
struct TreeSample {
  std::int64_t cpu_time_us = 0;   // of the living and of the children that they have reaped
  std::int64_t memory_bytes = 0;  // anonymous pages; shared ones count in each process
  std::int64_t tasks = 0;         // processes and threads
};

// Walks from `root` through its descendants (proc(5), /proc/pid/task/tid/children). Orphans of a pid
// namespace belong to its init, so none is missed when `root` is that. Stops at `tasks_max` tasks.
TreeSample SampleTree(pid_t root, std::int64_t tasks_max);

// `root` and its descendants, in the same way.
std::vector<pid_t> ProcessesOfTree(pid_t root, std::int64_t tasks_max);

}  // namespace casemate
