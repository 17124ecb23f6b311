#pragma once

#include <memory>
#include <string>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "confine/keeper.h"
#include "isolation/process/host.h"

namespace casemate::process {

// All of a plan that does not need descriptors, for a run whose own folder is `root`: what is at /workspace,
// /tmp, /casemate and /code elsewhere lies below it. kInvalidRequest for a mount at another path than the
// host's, which only a mount namespace could show.
Expected<std::unique_ptr<KeeperPlan>> MakePlan(const LaunchSpec& spec, const Host& host,
                                               const std::string& root);

// The program's folder on the host.
std::string WorkspaceOf(const LaunchSpec& spec, const std::string& root);

}  // namespace casemate::process
