#pragma once

#include <memory>

#include "casemate/backend.h"
#include "isolation/container/launch_plan.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// Starts the program of `spec`: returns when it has been executed, or with the step that failed and nothing
// left behind. Blocks for some milliseconds, at most ten seconds.
Expected<std::unique_ptr<ContainerSandbox>> LaunchContainer(const LaunchSpec& spec, const Host& host);

}  // namespace casemate::container
