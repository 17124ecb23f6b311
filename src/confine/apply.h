#pragma once

#include "confine/plan.h"

namespace casemate {

// What init writes in the place of the program's wait status when it could not become the reaper.
inline constexpr int kInitFailedStatus = -1;

// The child's whole life from clone3 to exec: becomes the sandbox's init, forks the program, execs the
// reaper. Never returns. Reports on plan.socket (launch_step.h). Async-signal-safe throughout: the engine
// may have had other threads when it forked.
[[noreturn]] void RunInit(ConfinementPlan& plan);

}  // namespace casemate
