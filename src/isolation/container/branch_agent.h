#pragma once

#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "confine/plan.h"

namespace casemate::container {

// What is done from outside to the namespaces of a branch while its pid 1 waits.
struct BranchOrder {
  int init = -1;                   // its number here
  int init_pidfd = -1;             // and its pidfd
  int origin_user_namespace = -1;  // in which the branch's own was made
  int origin_scratch = -1;         // whose files are copied
  bool change_ids = true;          // false when the caller's own id is the only one mapped
  std::vector<int> tasks;          // of the branch's cgroups, so that its files are charged there
  const ScratchPlan* scratch = nullptr;
};

struct BranchFiles {
  UniqueFd scratch;    // root of its own scratch file system
  UniqueFd workspace;  // its /workspace
};

// Writes the id maps, puts a scratch file system of its own with a copy of the origin's files over the old
// one, and a /proc of its own over the other. Blocks until it is done. kUnavailable when the files have
// become too many or too large meanwhile.
Expected<BranchFiles> FurnishBranch(const BranchOrder& order);

}  // namespace casemate::container
