#pragma once

#include <array>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// The controllers that hold a run's limits.
enum class CgroupController { kMemory, kPids, kCpu, kCpuacct };
inline constexpr std::array kCgroupControllers = {CgroupController::kMemory, CgroupController::kPids,
                                                  CgroupController::kCpu, CgroupController::kCpuacct};
std::string_view CgroupControllerName(CgroupController controller);

// Where one controller's cgroups can be made here.
struct CgroupPlace {
  int version = 0;      // 1 or 2; 0 when it cannot be used
  std::string parent;   // the folder in which to make a run's own
  std::string why_not;  // for version 0: a sentence
  std::string remedy;
};

// What this process may do with cgroups: version 1, version 2 and both at once (hybrid) are equals. A
// controller counts only if this process may make a cgroup for it.
class CgroupHost {
 public:
  // Reads /proc/self/cgroup and /proc/self/mountinfo. On version 2 it may have to enable controllers in a
  // parent's cgroup.subtree_control, and to move this process into a leaf of its own cgroup first ("no
  // internal processes", kernel doc cgroup-v2.rst); `prepare` allows that.
  static CgroupHost Discover(bool prepare);
  // The same from given texts, for tests: `root` stands before every path.
  static CgroupHost DiscoverFrom(const std::string& root, std::string_view self_cgroup,
                                 std::string_view mountinfo, bool prepare);

  const CgroupPlace& place(CgroupController controller) const {
    return places_[static_cast<std::size_t>(controller)];
  }
  bool complete() const;
  // Whether a process enters some of its cgroups when it is made (version 2: CLONE_INTO_CGROUP).
  bool entered_at_birth() const;

 private:
  std::array<CgroupPlace, kCgroupControllers.size()> places_;
};

}  // namespace casemate
