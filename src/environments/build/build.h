#pragma once

#include <string>
#include <vector>

#include "casemate/error.h"
#include "environments/build/progress.h"
#include "environments/build/rules.h"
#include "environments/build/tree_writer.h"
#include "environments/store.h"

namespace casemate {

struct BuildOptions {
  std::string state_dir;
  HostEnvironmentOptions host;
  std::string index_url;                 // "" for what pip is set up to ask
  std::vector<std::string> preload;      // modules that warm cells of it import
  PackageRules rules;                    // besides those of PackageRulesFile()
  TreeLimits limits;                     // of each archive
  bool again = false;                    // ask the index again, or read the image again
  std::vector<std::string> from_source;  // packages that a sandbox may build, by their normalized names
  std::vector<std::string> build_hosts;  // that such builds may reach, besides the index's
};

// The environment that `reference` (as `name` has it) leads to: the one that is there, or one that is built
// now. Builds of one environment wait for each other and the second one finds the first one's. One that is
// interrupted leaves nothing that looks finished.
Expected<EnvironmentManifest> BuildEnvironment(const EnvironmentReference& reference, const std::string& name,
                                               const BuildOptions& options, BuildProgress& progress);

}  // namespace casemate
