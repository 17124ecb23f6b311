#pragma once

#include "environments/build/build.h"
#include "environments/build/staging.h"

namespace casemate {

// Builds the environment of packages that `inputs` lead to. The caller has the lock of inputs.key.
Expected<EnvironmentManifest> BuildPackages(const EnvironmentReference& reference, const std::string& name,
                                            const EnvironmentInputs& inputs, const BuildOptions& options,
                                            BuildProgress& progress);

}  // namespace casemate
