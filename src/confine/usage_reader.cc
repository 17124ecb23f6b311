#include "confine/usage_reader.h"

#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "confine/tree_sampler.h"

namespace casemate {

void UsageReader::TakeScratch(int scratch) {
  struct statfs space {};
  if (scratch < 0 || fstatfs(scratch, &space) != 0) return;
  last_.tmp_bytes = static_cast<std::int64_t>(space.f_blocks - space.f_bfree) * space.f_bsize;
  last_.tmp_files = static_cast<std::int64_t>(space.f_files - space.f_ffree);
  last_.tmp_full = last_.tmp_full || space.f_bfree == 0 || space.f_ffree == 0;
}

void UsageReader::Sample(pid_t tree_root, const Limits& limits) {
  if (tree_root < 0) return;
  const TreeSample sample = SampleTree(tree_root, limits.processes_max + 16);
  last_.cpu_time_us = std::max(last_.cpu_time_us, sample.cpu_time_us);
  last_.processes_peak = std::max(last_.processes_peak, sample.tasks);
  // tmpfs pages are nobody's resident memory but count all the same.
  const std::int64_t memory = sample.memory_bytes + last_.tmp_bytes + shared_bytes_;
  last_.memory_peak_bytes = std::max(last_.memory_peak_bytes, memory);
  last_.memory_over = last_.memory_over || memory > limits.memory_bytes;
  // RLIMIT_NPROC refuses forks without a counter; a full house is the evidence.
  if (sample.tasks >= limits.processes_max) ++last_.process_refusals;
}

const ResourceReading& UsageReader::Read(Cgroup* cgroup, pid_t tree_root, const Limits& limits) {
  CgroupReading counters;
  if (cgroup != nullptr) counters = cgroup->Read();
  const bool has_memory = counters.memory_peak_bytes > 0;
  const bool has_processes = counters.processes_peak > 0 || counters.process_refusals > 0;
  if (!has_memory || counters.cpu_time_us == 0 || !has_processes) Sample(tree_root, limits);
  last_.cpu_time_us = std::max(last_.cpu_time_us, counters.cpu_time_us);
  if (has_memory) last_.memory_peak_bytes = counters.memory_peak_bytes;
  last_.memory_kills = counters.memory_kills;
  if (has_processes) {
    last_.process_refusals = counters.process_refusals;
    last_.processes_peak = std::max(last_.processes_peak, counters.processes_peak);
  }
  return last_;
}

void UsageReader::Reap(int pidfd, const Cgroup* cgroup) {
  siginfo_t info{};
  rusage usage{};
  // The raw call: the C library's waitid(2) has no rusage.
  while (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED, &usage) < 0 && errno == EINTR) {
  }
  const auto micros = [](const timeval& time) {
    return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  last_.cpu_time_us = std::max(last_.cpu_time_us, micros(usage.ru_utime) + micros(usage.ru_stime));
  if (cgroup == nullptr || cgroup->folders().empty())
    last_.memory_peak_bytes = std::max(last_.memory_peak_bytes, std::int64_t{usage.ru_maxrss} * 1024);
}

}  // namespace casemate
