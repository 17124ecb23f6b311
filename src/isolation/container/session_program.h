#pragma once

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate::container {

// The interpreter of a waiting cell, as a pidfd: the only child of the init behind `init_pidfd`, as long as
// no program runs there.
Expected<UniqueFd> OpenProgram(int init_pidfd);

// In the engine's own pid namespace (proc(5), fdinfo of a pidfd); -1 when it is gone.
int PidOf(int pidfd);

}  // namespace casemate::container
