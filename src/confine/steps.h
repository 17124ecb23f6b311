#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>

#include "confine/launch_step.h"
#include "confine/plan.h"
#include "confine/root.h"

namespace casemate {

// The steps that the two orders of giving up power share: a cold launch (apply.cc) and a cell forked from a
// zygote (cell.cc). All are async-signal-safe and allocate nothing; those that return int return 0 or -errno.

// Sends one message, with descriptors, on the launch socket.
int Send(int socket, LaunchMessageKind kind, StepResult result, const int* fds, std::size_t fd_count);
// Reports the failure and ends this process.
[[noreturn]] void GiveUp(int socket, LaunchStep step, int err);
// Gives up when the step failed.
void Require(int socket, LaunchStep step, int negative_errno);
void Require(int socket, const StepResult& result);
int ErrnoUnlessZero(long value);

// PR_SET_PDEATHSIG is lost whenever ids change (prctl(2)), so it is set again; an engine that died before it
// was set shows as the end of the lifeline.
int DieWithTheEngine(int lifeline);
void ResetSignals();
// A caller's raised priority is not the program's. A lowered one stays: it was meant for all of the caller's
// work.
void TakeOrdinaryPriority();
int EnterCgroups(std::span<const int> tasks);
// Waits for LaunchGo, and takes the descriptors that came with it.
struct CgroupEntrances {
  std::array<int, kLaunchCgroupsMax> tasks{};
  std::size_t count = 0;
};
int AwaitGo(int socket, CgroupEntrances& entrances);
// Prefer the sandbox to anything else when the whole host runs out of memory. Best effort: the limit that
// matters is the cgroup's.
void OfferToOomKiller(int score);
// Final numbers, all others closed but `socket`, which gets another number.
int PlaceDescriptors(std::span<const DescriptorMove> moves, int& socket);
int SetResourceLimits(std::span<const ResourceLimit> limits);
// setsid(2) gives up any terminal; an anonymous session keyring replaces the caller's (keyrings(7)).
int NewSession();

// Executes the reaper (init/reaper.c) in the place of this process, which is pid 1 and has forked the
// program.
struct ReaperDescriptors {
  int lifeline;     // read end: at its end when the engine is gone
  int exit_status;  // write end: takes the program's wait status
  int init_binary;
  // A cell's parent is its usher, whose end is no reason to die: the lifeline alone tells.
  bool child_of_engine;
};
[[noreturn]] void BecomeReaper(const ReaperDescriptors& fds);

// The same for the guard of an OCI runtime (init/guard.c), which is pid 1 as well.
struct GuardDescriptors {
  int lifeline;
  int exit_status;  // write end: takes the runtime's wait status
  int ended;        // read end: readable when the program has ended
  int binary;
};
[[noreturn]] void BecomeGuard(const GuardDescriptors& fds);

// The same for the keeper (init/keeper.c), whose parent is the engine.
struct KeeperDescriptors {
  int lifeline;
  int exit_status;
  int children;  // its own /proc/thread-self/children
  int lock;      // of the run's folder
  int binary;
};
[[noreturn]] void BecomeKeeper(const KeeperDescriptors& fds, pid_t program, bool own_id);

}  // namespace casemate
