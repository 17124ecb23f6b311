#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "casemate/error.h"
#include "environments/store.h"

namespace casemate {

// The environment that is there under `name`: a hash or its beginning, or what it was built from. Builds
// nothing. kNotFound when it is not there.
Expected<EnvironmentManifest> FindEnvironment(const EnvironmentPaths& paths, const std::string& name,
                                              const HostEnvironmentOptions& host);

// Reads every file of it again: "" when all is as it was built, otherwise the first that is not.
Expected<std::string> VerifyEnvironment(const EnvironmentPaths& paths, const std::string& id);

struct PruneWish {
  std::vector<std::string> ids;
  bool all = false;
  std::optional<std::int64_t> older_than_s;  // since its last use
};
struct Pruned {
  int removed = 0;
  int in_use = 0;  // wanted gone, and used by a program at this moment
  int cached = 0;  // wheels and their trees that no environment has
};
Expected<Pruned> PruneEnvironments(const EnvironmentPaths& paths, const PruneWish& wish);

// Writes all files of it to `fd` as a tar file (pax): the same bytes for the same environment.
Expected<void> ExportEnvironment(const EnvironmentPaths& paths, const EnvironmentManifest& manifest, int fd);

}  // namespace casemate
