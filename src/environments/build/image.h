#pragma once

#include "environments/build/build.h"

namespace casemate {

// Builds an environment that has a root of its own: image, docker, registry, rootfs or nix. The caller has
// the lock of inputs.key. The image's interpreter is asked for its paths in a sandbox.
Expected<EnvironmentManifest> BuildImage(const EnvironmentReference& reference, const std::string& name,
                                         const EnvironmentInputs& inputs, const BuildOptions& options,
                                         BuildProgress& progress);

}  // namespace casemate
