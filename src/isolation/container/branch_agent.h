#pragma once

#include <sys/types.h>

#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "confine/plan.h"

namespace casemate::container {

// What is done from outside to the namespaces of a branch while its pid 1 waits.
struct BranchOrder {
  int origin_user_namespace = -1;  // in which the branch's own is made
  int origin_scratch = -1;         // whose files are copied
  bool change_ids = true;          // false when the caller's own id is the only one mapped
  std::vector<int> tasks;          // of the branch's cgroups, so that its files are charged there
  const ScratchPlan* scratch = nullptr;
};

struct BranchFiles {
  UniqueFd scratch;    // root of its own scratch file system
  UniqueFd workspace;  // its /workspace
};

// A process that writes the id maps, puts a scratch file system of its own with a copy of the origin's files
// over the old one, and a /proc of its own over the other. Begun before there is a branch, so that it is
// ready by then. The destructor ends it. One thread.
class BranchAgent {
 public:
  BranchAgent() = default;
  BranchAgent(BranchAgent&& other) noexcept
      : socket_(std::move(other.socket_)), process_(std::exchange(other.process_, -1)) {}
  BranchAgent& operator=(BranchAgent&&) = delete;
  ~BranchAgent() { (void)End(true); }

  // `order` is read before this returns.
  static Expected<BranchAgent> Start(const BranchOrder& order);
  // The branch's pid 1, by its number and its pidfd here, waits.
  Expected<void> Begin(pid_t init, int init_pidfd);
  // Blocks until it is done. kUnavailable when the files have become too many or too large meanwhile.
  Expected<BranchFiles> Finish();

 private:
  int End(bool kill);  // its wait status

  UniqueFd socket_;
  pid_t process_ = -1;
};

}  // namespace casemate::container
