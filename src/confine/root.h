#pragma once

#include <span>

#include "confine/launch_step.h"
#include "confine/plan.h"

namespace casemate {

// A step of the child and how it failed; err 0 means done.
struct StepResult {
  LaunchStep step = LaunchStep::kNone;
  int err = 0;  // positive errno
};

// Descriptors that init hands to the engine.
struct RootHandles {
  int scratch = -1;    // the scratch file system's own root
  int workspace = -1;  // /workspace, whatever it is
};

// The two halves of the file view, both async-signal-safe, both inside the new user and mount namespaces.
// OpenBindSources must run while the caller's own user id still opens the paths; BuildRoot ends with
// the new, read-only root as "/" and nothing of the host's mounts in sight.
StepResult OpenBindSources(std::vector<BindMount>& binds);
StepResult BuildRoot(const ConfinementPlan& plan, RootHandles& handles);

// Makes `entries` below the folder `root`, in order.
StepResult MakeRootEntries(int root, std::span<const RootEntry> entries);
// Two parts of BuildRoot that a cell (cell.cc) makes for itself below the root that it has from its zygote;
// the working directory is that root. `owner` gets the views' folders.
StepResult MountScratch(int root, const ScratchPlan& scratch, uid_t owner, RootHandles& handles);
StepResult MountProc(const char* options);
// /run/secrets with these files, owned by `owner`, read-only from then on; nothing when there are none. The
// working directory is the root; the caller's user id is init's. It is a ramfs, whose pages are never
// swapped.
StepResult MountSecrets(std::span<const SecretFile> files, uid_t owner);

// open_tree(2) of the source with its attributes set on the copy: a detached mount, or -errno (-ELOOP when a
// given path has a symbolic link in it).
int OpenDetached(const BindMount& bind);

}  // namespace casemate
