#pragma once

#include <memory>
#include <string>

#include "casemate/backend.h"
#include "isolation/oci/runtime.h"

namespace casemate::oci {

// The tier of an OCI runtime: gvisor by runsc, container by crun or runc, microvm by Kata. `lock_folder` is a
// folder of this user's, made if missing: leases of user ids, what is known of the runtime, and in a run's
// own mount namespace the place of its bundle. With `warm`, for an engine that stays, the runs that it can
// are given sandboxes that wait (WarmSandboxes).
std::unique_ptr<Backend> MakeOciBackend(RuntimeKind kind, std::string lock_folder, bool warm = false);

// The OCI configuration that a run of `spec` would get, as a person can take it elsewhere.
Expected<std::string> ExplainOci(RuntimeKind kind, const LaunchSpec& spec);

}  // namespace casemate::oci
