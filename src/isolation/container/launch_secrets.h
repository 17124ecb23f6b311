#pragma once

#include <span>
#include <vector>

#include "casemate/error.h"
#include "casemate/secret.h"
#include "confine/plan.h"

namespace casemate::container {

// What of a run's secrets is a file; views into their values.
std::vector<SecretFile> SecretFiles(std::span<const ResolvedSecret> secrets);

// Hands the variables to a waiting cell: a frame of its own on its request channel, ahead of all others, that
// no memory but locked one has held. The cell reads while this writes; kInternal when it does not.
Expected<void> SendSecretVariables(int request_fd, std::span<const ResolvedSecret> secrets);

}  // namespace casemate::container
