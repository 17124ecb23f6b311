#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "casemate/limits.h"
#include "confine/cgroup.h"
#include "isolation/container/branch_agent.h"

namespace casemate::container {

// What a branch needs and what can be made before anybody knows of which session.
struct BranchKit {
  Cgroup cgroup;  // with these limits
  Limits limits;
  std::vector<UniqueFd> tasks;  // its entrances
  BranchAgent agent;            // in it
};

// The kits of one pool: those of a session that is forked once wait there, further ones are made when they
// are asked for. Thread-safe.
class BranchStock {
 public:
  // How many wait: for the session itself and one copy.
  static constexpr std::size_t kKits = 2;

  explicit BranchStock(CgroupHost cgroups) : cgroups_(std::move(cgroups)) {}
  ~BranchStock() { Drop(); }
  BranchStock(const BranchStock&) = delete;
  BranchStock& operator=(const BranchStock&) = delete;

  // A kit whose cgroup holds `limits`.
  Expected<BranchKit> Take(const Limits& limits);
  // Takes an agent that has done its work, whose end is not worth waiting for.
  void Retire(BranchAgent agent);

  // The keeper's, a thread that outlives all kits: their agents end with it.
  // Makes what is missing of `wanted` kits, and ends what was retired. What cannot be made now fails again
  // where it is taken, and is told there.
  void Fill(std::size_t wanted);
  void Drop();

 private:
  Expected<BranchKit> Make(const Limits& limits) const;

  const CgroupHost cgroups_;
  std::mutex mutex_;
  std::deque<BranchKit> kits_;
  std::vector<BranchAgent> retired_;
  Limits last_limits_;  // that were asked for: most forks are of one session
};

}  // namespace casemate::container
