#pragma once

#include <string>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "environments/manifest.h"
#include "environments/reference.h"

namespace casemate {

// The view of an environment that has a root of its own: `folder`/rootfs, or the paths of a Nix closure.
// kInternal when the root cannot be read.
Expected<EnvironmentView> ImageView(const EnvironmentManifest& manifest, const std::string& folder);

// What tells an image from another one without reading all of it: its path, size and time of change. Of a
// folder only its own time: `casemate env build --again` takes changes deeper in it.
Expected<std::string> ImageIdentity(const EnvironmentReference& reference);

}  // namespace casemate
