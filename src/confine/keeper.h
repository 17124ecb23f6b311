#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "confine/plan.h"

namespace casemate {

// What the child of a launch without namespaces does, decided before the fork: see keeper.cc.
struct KeeperPlan {
  // Of it: ids, socket, lifeline, exit_status, descriptors, keep, limits, Landlock, seccomp, what is
  // executed, working_dir, expects_files, oom_score_adj. `init_binary` is the keeper's.
  ConfinementPlan program;
  std::span<const int> cgroups;  // entrances, each takes a "0"
  int workspace = -1;            // takes the input files
  int lock = -1;                 // of the run's folder: the keeper's copy ends with the tree
  // ids.change_ids: the host's ids of the keeper and of the program, which are nobody else's.
  uid_t keeper_uid = 0;
  // Set where the kernel counts all processes of a user id that others have too: how many more there may be.
  std::int64_t more_processes = 0;
};

// The child's whole life from the fork to exec: becomes the keeper of the tree, forks the program and drops
// its powers. Never returns; reports on program.socket. Async-signal-safe.
[[noreturn]] void RunKeeper(KeeperPlan& plan);

}  // namespace casemate
