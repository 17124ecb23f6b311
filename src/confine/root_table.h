#pragma once

#include <string>
#include <vector>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "confine/plan.h"

namespace casemate {

// Where a run's writable and host-given paths are seen.
inline constexpr const char* kWorkspace = "/workspace";

// The new root of one run: synthetic /etc and /dev, the environment's folders, our own files. Sets
// root_entries, binds, root_options of `plan`. Reads small files of the host's /etc.
Expected<void> PlanRoot(const LaunchSpec& spec, ConfinementPlan& plan);

// Whether a host path may be mounted at `inside`: absolute, normal, and not below a path of our own.
Expected<void> CheckMountTarget(const std::string& inside);

}  // namespace casemate
