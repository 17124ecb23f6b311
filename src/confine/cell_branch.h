#pragma once

#include <sched.h>

#include <csignal>

#include "confine/plan.h"

namespace casemate {

// A branch: a copy of a session's interpreter in a complete set of namespaces of its own, below those of its
// origin. Nothing that runs inside is believed: each call below waits for the supervisor's answer, which the
// supervisor gives only when it has asked for a branch, and only after it has looked at what waits there
// (isolation/container/branching.cc has the whole order).

// The one clone(2) that is let through.
inline constexpr unsigned long kBranchCloneFlags = CLONE_VM | CLONE_CHILD_CLEARTID | CLONE_NEWUSER |
                                                   CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
                                                   CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;

// Copies that can be made at once.
inline constexpr int kBranchesMax = 33;

// unshare(0, kBranchMark, where, errno): a call that the filter hands to the supervisor whatever it asks for.
inline constexpr unsigned long kBranchMark = 0x6272616e6368;
enum class BranchPoint : unsigned long {
  kInit = 1,  // pid 1; wants its ids, its mounts and descriptors; the answer is the count of `tasks` files
  kCopy,      // pid 2; has nothing left but its memory; the answer is the descriptor of its requests
  kOrigin,    // all copies are there, or errno says why not; answered only when it is to go on alone
};

// Where the supervisor puts descriptors: below any limit that a program sets itself in earnest.
enum BranchFd : int { kBranchLifeline = 3, kBranchStatus, kBranchReaper, kBranchTasks };
inline constexpr int kBranchTasksMax = 8;

// Makes `count` copies, at most kBranchesMax. In each of them, once it is released, the descriptor of its
// requests, behind which comes that of its results; -errno in the origin, which lives on only when the
// supervisor has given up. The caller is the thread that goes on, with all signals blocked.
int ForkBranches(const IdPlan& ids, int count);

}  // namespace casemate
