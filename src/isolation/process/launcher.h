#pragma once

#include <memory>

#include "casemate/backend.h"
#include "isolation/process/host.h"
#include "isolation/process/sandbox.h"

namespace casemate::process {

// Starts the program of `spec`: returns when it has been executed, or with the step that failed and nothing
// left behind. Blocks for some milliseconds; for at most ten seconds where a step hangs, not counting the
// time to read the caller's own files.
Expected<std::unique_ptr<ProcessSandbox>> LaunchProcess(const LaunchSpec& spec, const Host& host);

}  // namespace casemate::process
