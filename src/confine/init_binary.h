#pragma once

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// A sealed memfd (memfd_create(2)) that holds the sandbox's init, ready for execveat.
Expected<UniqueFd> OpenInitBinary();
// The same for the keeper of a program without a pid namespace (init/keeper.c).
Expected<UniqueFd> OpenKeeperBinary();

}  // namespace casemate
