#pragma once

#include <sys/resource.h>

#include <memory>

#include "casemate/backend.h"
#include "isolation/container/launch_plan.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// Starts the program of `spec`: returns when it has been executed, or with the step that failed and nothing
// left behind. Blocks for some milliseconds; for at most ten
// seconds where a step hangs, not counting the time to read the caller's own files.
Expected<std::unique_ptr<ContainerSandbox>> LaunchContainer(const LaunchSpec& spec, const Host& host);

// Starts the interpreter of `spec` as a zygote: without system call filter, Landlock and limits of its own,
// since no foreign code runs in it, and with ids for its cells. It has every other wall of a sandbox, and no
// capability.
struct ZygoteLaunch {
  int control_fd = -1;  // becomes kZygoteControlFd there
  uid_t id_pairs = 1;   // its own and those of its cells
};
Expected<std::unique_ptr<ContainerSandbox>> LaunchZygote(const LaunchSpec& spec, const Host& host,
                                                         const ZygoteLaunch& zygote);

}  // namespace casemate::container
