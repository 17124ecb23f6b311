#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "casemate/backend.h"

namespace casemate::docker {

// The kernel's counters of one container, read from outside: of the cgroups that its first process is in.
// Their files stay open. One thread.
class Counters {
 public:
  // None where the process is not one of this host's, or not in a cgroup that has the container's id in its
  // name.
  static std::optional<Counters> Open(pid_t pid, const std::string& container_id);

  // Fills what it knows; what has been read once stays when the cgroup is gone.
  void Read(ResourceReading& reading);

 private:
  enum File { kCpu, kMemoryPeak, kMemoryKills, kPidsEvents, kPidsCurrent, kPidsPeak, kFiles };
  std::string_view Text(File file);
  std::int64_t Number(File file, std::string_view key);

  bool unified_ = false;
  std::array<UniqueFd, kFiles> files_;
  std::array<char, 1024> text_{};
  ResourceReading last_;
};

}  // namespace casemate::docker
