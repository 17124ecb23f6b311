#pragma once

#include <memory>

#include "casemate/backend.h"
#include "isolation/container/launch_plan.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// Starts the program of `spec`: returns when it has been executed, or with the step that failed and nothing
// left behind. Blocks for some milliseconds; for at most ten
// seconds where a step hangs, not counting the time to read the caller's own files.
Expected<std::unique_ptr<ContainerSandbox>> LaunchContainer(const LaunchSpec& spec, const Host& host);

}  // namespace casemate::container
