#pragma once

#include <sys/types.h>

#include <span>
#include <string>

#include "confine/plan.h"

namespace casemate::oci {

// What a runtime must not see of the host's cgroups: the run has its own, which the engine has made.
enum class CgroupView {
  kNone,      // crun: told to leave cgroups alone, and refuses a host that has both versions
  kCovered,   // runsc, Kata: told so too, and look at nothing else
  kReadOnly,  // runc: looks for them, and goes on when it may not write
};

// What the child does, decided before the fork.
struct RuntimePlan {
  // Of it: root_entries, binds and scratch (below `place`), secret_files, socket, lifeline, exit_status,
  // descriptors, keep, exec_candidates (one), argv, env, expects_files, oom_score_adj. `init_binary` is the
  // guard's. With a user namespace `ids` too, and binds that nobody has opened yet.
  ConfinementPlan base;
  std::string place;             // the folder of the bundle, a mount point in this mount namespace alone
  std::string writable;          // below it: where `base.scratch` and secret files are mounted
  std::string workspace;         // below it: the program's folder
  uid_t owner = 0;               // host id of the program
  std::span<const int> cgroups;  // entrances, each takes a "0"
  CgroupView cgroup_view = CgroupView::kNone;
  int ended = -1;  // read end: readable when the program has ended
  // The number at which the runtime gets one more descriptor of its standard input, so that its table of
  // descriptors is that long from the beginning; 0 for none.
  int high_descriptor = 0;
  // The clone made a user namespace too, in which the engine writes the id maps.
  bool own_user_namespace = false;
  // kRuntimeFd is its executable, whose path may be closed to the ids that it is started with.
  bool runtime_given = false;
};

// The child's whole life from the clone, which made it pid 1 of new pid and mount namespaces (and of a new
// user namespace, for an ordinary user): mounts the bundle, forks the runtime and becomes its guard. Never
// returns; reports on base.socket. Async-signal-safe.
[[noreturn]] void RunRuntime(RuntimePlan& plan);

}  // namespace casemate::oci
