#pragma once

#include "confine/plan.h"

namespace casemate {

// The Landlock ABI of this kernel; 0 when it has none or it is not enabled (boot parameter lsm=).
int LandlockAbi();

// Restricts this thread: read and execute below "/", everything below `plan.writable`, devices in /dev (or
// what `plan.grants` says in the place of "/" and /dev), nothing written to /proc, no TCP connection (but for
// `plan.connects`), no signal and no abstract unix socket out of its domain, as far as the ABI goes. Needs
// no_new_privs. Async-signal-safe; 0 or -errno; does nothing for abi 0.
int RestrictWithLandlock(const LandlockPlan& plan);

// The same in two steps: the ruleset's descriptor (close-on-exec) or -errno, -ENOSYS for abi 0; and its use,
// which closes it.
int PrepareLandlock(const LandlockPlan& plan);
int RestrictWith(int ruleset, int abi);

}  // namespace casemate
