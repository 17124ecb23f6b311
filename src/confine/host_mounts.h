#pragma once

#include "casemate/error.h"
#include "confine/id_pool.h"
#include "confine/plan.h"

namespace casemate {

// Opens the plan's bind mounts as detached mounts, with the engine's own rights, when it may mount at all
// (root). Caller-given folders that are writable, or closed to others, are id-mapped (mount_setattr(2),
// MOUNT_ATTR_IDMAP): their owner's files appear as the program's own inside, and what the program writes
// belongs to that owner outside. For an ordinary user it only checks that the folders can be used; the child
// opens them (confine/root.h).
// `root_creates`: files are made there by root inside, who then gives them to the program (gVisor's file
// server).
Expected<void> OpenHostMounts(const IdSource& ids, const IdLease& lease, ConfinementPlan& plan,
                              bool root_creates = false);

}  // namespace casemate
