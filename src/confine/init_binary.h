#pragma once

#include <string_view>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// A sealed memfd (memfd_create(2)) that holds the sandbox's init, ready for execveat.
Expected<UniqueFd> OpenInitBinary();
// The same for the keeper of a program without a pid namespace (init/keeper.c).
Expected<UniqueFd> OpenKeeperBinary();
// The same for the guard of an OCI runtime (init/guard.c).
Expected<UniqueFd> OpenGuardBinary();
// The init of a container that such a runtime makes (init/starter.c): an executable's bytes, for its root.
std::string_view StarterBinary();

}  // namespace casemate
