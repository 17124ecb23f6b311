#pragma once

#include <string>

#include "casemate/error.h"
#include "environments/build/progress.h"

namespace casemate {

// Images from elsewhere, as tar files that image_unpack.h reads; written to `file`, which is not there yet.
// Both ask a program of the host that keeps to the owner's own settings and credentials, and wait up to half
// an hour.

// An image of the Docker daemon that DOCKER_HOST or the docker program's context names; one that it does not
// have, it pulls.
Expected<void> SaveFromDocker(const std::string& name, const std::string& file, BuildProgress& progress);

// NAME@sha256:DIGITS from its registry, without a daemon; the content is checked against the digest
// (skopeo-copy(1)). A registry on this host's loopback may speak plain HTTP, as Docker has it.
Expected<void> CopyFromRegistry(const std::string& name, const std::string& file, BuildProgress& progress);

}  // namespace casemate
