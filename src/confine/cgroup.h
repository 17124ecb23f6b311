#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "casemate/limits.h"
#include "confine/cgroup_host.h"

namespace casemate {

// The kernel's counters for one run. A field of a controller that the host does not give stays 0.
struct CgroupReading {
  std::int64_t cpu_time_us = 0;
  std::int64_t memory_peak_bytes = 0;
  std::int64_t memory_kills = 0;
  std::int64_t process_refusals = 0;
  std::int64_t processes_peak = 0;  // sampled where the kernel has no pids.peak
};

// One run's cgroups: at most one folder a hierarchy, limits written, empty until the child enters. The
// destructor removes them; they must be empty by then. Not thread-safe.
//
// Version 1 is entered by the child itself, through descriptors of `tasks` (a write to cgroup.procs waits
// for an RCU grace period, some 8 ms on a quiet host; `tasks` does not). Version 2 is entered at birth
// with CLONE_INTO_CGROUP.
class Cgroup {
 public:
  // Makes what `host` can give and writes `limits`; controllers without a place are left out.
  static Expected<Cgroup> Create(const CgroupHost& host, const Limits& limits);
  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&&) noexcept = default;
  ~Cgroup();

  // For clone_args.cgroup; -1 when no controller is on version 2.
  int clone_fd() const { return clone_fd_.get(); }
  // The child writes "0" to each before it does anything else.
  const std::vector<UniqueFd>& task_fds() const { return task_fds_; }
  // Entrances for a child that is not born into the cgroup: `tasks` (version 1) or `cgroup.procs` (version 2)
  // of each folder, to be written like task_fds().
  Expected<std::vector<UniqueFd>> OpenEntrances() const;
  // Writes other limits than those of Create().
  Expected<void> ChangeLimits(const CgroupHost& host, const Limits& limits) {
    return WriteLimits(host, limits);
  }
  // Makes an empty cgroup as good as new: no member, counters at zero or counted from here on. False where
  // that cannot be had (version 2, a member that is still dying, memory that is still charged).
  bool Renew();
  // Whether the kernel lets counters be set back at all (version 1).
  bool renewable() const { return std::ranges::find(version_of_, 2) == version_of_.end(); }
  // Frees the descriptors of the two above once the child is in.
  void CloseEntrances();

  CgroupReading Read();
  // Of Read(), the CPU time alone; nothing without a controller for it.
  std::optional<std::int64_t> ReadCpuTimeUs();
  // Closes the files of the other counters until the next Read().
  void CloseCounters();
  // SIGKILL to every member where the kernel can do it in one step (cgroup.kill, 5.14); otherwise nothing.
  void Kill() const;
  // Removes the folders; false when a member is still dying. Retries up to `wait_ms`.
  bool Remove(std::int64_t wait_ms);
  const std::vector<std::string>& folders() const { return folders_; }

 private:
  Cgroup() = default;
  const std::string& FolderOf(CgroupController controller) const {
    return folder_of_[static_cast<std::size_t>(controller)];
  }
  Expected<void> MakeFolder(CgroupController controller, const CgroupPlace& place, const std::string& name);
  Expected<void> WriteLimits(const CgroupHost& host, const Limits& limits);

  std::array<std::string, kCgroupControllers.size()> folder_of_;  // "" without a place
  std::array<int, kCgroupControllers.size()> version_of_{};
  std::vector<std::string> folders_;  // each once
  // A counter's text, as the kernel gives it now; its file stays open, since a run looks many times.
  enum Counter {
    kMemoryEvents,
    kMemoryPeak,
    kMemoryCurrent,
    kPidsEvents,
    kPidsPeak,
    kPidsCurrent,
    kCpuUsage,
    kCounters
  };
  std::string_view Text(Counter counter, CgroupController controller, std::string_view file);
  std::int64_t Count(Counter counter, CgroupController controller, std::string_view file);

  struct CounterFile {
    UniqueFd fd;
    bool missing = false;
  };
  std::array<CounterFile, kCounters> counter_files_;
  std::array<char, 1024> text_{};
  UniqueFd clone_fd_;
  std::vector<UniqueFd> task_fds_;
  CgroupReading last_;
  CgroupReading before_;  // counts of earlier users
};

// Cgroups that a dead engine left below `host`'s places: those whose name has the pid and start time of a
// process that is no more (in this pid namespace). Removed, if need be after up to `wait_ms` for members that
// are still dying; what could not be is named in `kept`.
struct CgroupGarbage {
  std::vector<std::string> removed;
  std::vector<std::string> kept;
};
CgroupGarbage RemoveStaleCgroups(const CgroupHost& host, std::int64_t wait_ms);

}  // namespace casemate
