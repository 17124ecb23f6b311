#pragma once

#include <memory>
#include <string>
#include <vector>

#include "casemate/backend.h"

namespace casemate::process {

// The process tier: no namespaces, no root and no privileges. `lock_folder` is a folder of this user's, made
// if missing (leases of user ids, where the caller may give a run one of its own). `temporary`: where runs
// have their folders; "" for $TMPDIR or /tmp.
std::unique_ptr<Backend> MakeProcessBackend(std::string lock_folder, std::string temporary = "");

// Folders and cgroups that killed engines left.
struct Garbage {
  std::vector<std::string> removed;
  std::vector<std::string> kept;
};
Garbage CollectProcessGarbage();

}  // namespace casemate::process
