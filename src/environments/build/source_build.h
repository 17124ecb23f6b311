#pragma once

#include <string>
#include <vector>

#include "casemate/error.h"
#include "environments/build/progress.h"
#include "environments/build/resolve.h"
#include "environments/requirements.h"

namespace casemate {

// Has pip make wheels of options.from_source, as `requirements` ask for them, in a sandbox of the `casemate`
// beside this program, which reaches the package index and options.build_hosts and nothing else; puts them
// into `folder`, which must be there. What they need besides is left to Resolve. Takes up to half an hour.
//
// kInvalidRequest in pip's words when a build fails, and for an index whose address has a password in it,
// which the packages' code would see; kUnavailable when no sandbox can be had.
Expected<void> BuildFromSource(const Requirements& requirements, const ResolveOptions& options,
                               const std::string& folder, BuildProgress& progress);

}  // namespace casemate
