#pragma once

#include <sched.h>

#include <csignal>
#include <cstddef>

#include "confine/plan.h"

namespace casemate {

// A branch: a copy of a session's interpreter in a complete set of namespaces of its own, below those of its
// origin. Nothing that runs inside is believed: each call below waits for the supervisor's answer, which the
// supervisor gives only when it has asked for a branch, and only after it has looked at what waits there
// (isolation/container/branching.cc has the whole order).

// The clone(2)s that are let through: the last one stays in the origin's network, its host name and its
// System V objects, in which nobody else is any more once the origin is dead. A new network is the dearest of
// all.
inline constexpr unsigned long kBranchCloneFlags = CLONE_VM | CLONE_CHILD_CLEARTID | CLONE_NEWUSER |
                                                   CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
                                                   CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
inline constexpr unsigned long kLastCloneFlags =
    kBranchCloneFlags & ~static_cast<unsigned long>(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);

// Copies that can be made at once.
inline constexpr int kBranchesMax = 33;

// unshare(0, kBranchMark, where, errno): a call that the filter hands to the supervisor whatever it asks for.
inline constexpr unsigned long kBranchMark = 0x6272616e6368;
enum class BranchPoint : unsigned long {
  kInit = 1,  // pid 1; wants its ids, its mounts and descriptors; the answer is kBranchSocket
  kCopy,      // pid 2; has nothing left but its memory; the answer is the descriptor of its requests
  kOrigin,    // all copies are there, or errno says why not; answered only when it is to go on alone
};

// An answer at kInit or kCopy puts a socket into the empty table of the caller, under the number that it is:
// one message waits there, of one byte and these descriptors in their order. All of them at once, since each
// that came by itself would have to wait for the caller to be scheduled.
inline constexpr int kBranchSocket = 0;
enum BranchFd : std::size_t { kBranchLifeline, kBranchStatus, kBranchReaper, kBranchTasks };  // at kInit
inline constexpr std::size_t kBranchTasksMax = 8;
// At kCopy: standard input, output and error, requests, results. The numbers of the last two are the answer
// and the one after it, which are the highest that the limit of open files allows.
inline constexpr std::size_t kBranchChannels = 5;

// Makes `count` copies, at most kBranchesMax. In each of them, once it is released, the descriptor of its
// requests, behind which comes that of its results; -errno in the origin, which lives on only when the
// supervisor has given up. The caller is the thread that goes on, with all signals blocked. If it is the only
// one, the last of the copies is the heir: it gets no copy of the memory but the memory itself, which is
// nobody else's once the origin is dead.
int ForkBranches(const IdPlan& ids, int count);

}  // namespace casemate
