#pragma once

#include <string>
#include <vector>

#include "casemate/error.h"
#include "environments/build/progress.h"
#include "environments/build/staging.h"
#include "environments/build/tree_writer.h"

namespace casemate {

// Wheels that builds share, each once: the file itself by its hash, and what it unpacks to for one kind of
// Python, compiled. An environment has the same files by other names (link(2)).

// trees/HASH-ABI, and in it files/ with site/, bin/ and data/, and `contents`.
std::string TreePath(const EnvironmentPaths& paths, const LockedWheel& wheel, std::string_view abi);

// Takes the wheels of `folder` into the store of wheels. Each is hashed again as it is taken.
Expected<void> TakeWheels(const EnvironmentPaths& paths, const std::string& folder,
                          const std::vector<LockedWheel>& wheels);

// Whether the store has the wheel's file or its tree.
bool HasWheel(const EnvironmentPaths& paths, const LockedWheel& wheel, std::string_view abi);

// Makes the trees that are missing, in confined processes: unpacked, and then compiled by `python`, which
// runs nothing of them.
Expected<void> MakeTrees(const EnvironmentPaths& paths, const StagingFolder& staging,
                         const std::vector<LockedWheel>& wheels, const std::string& python,
                         const std::string& abi, const TreeLimits& limits, BuildProgress& progress);

}  // namespace casemate
