#pragma once

#include <memory>
#include <string>

#include "casemate/backend.h"

namespace casemate::container {

// The native container tier. `lock_folder` is a folder of this user's, made if missing (leases of user ids).
std::unique_ptr<Backend> MakeContainerBackend(std::string lock_folder, const WarmOptions& warm = {});

// Raises this process's soft limit of open files as far as `cells_max` waiting cells and `sessions_max`
// sessions need, or as far as the hard limit allows. For how many sessions that is enough; kUnavailable, with
// the remedy, where it is not even for the cells.
Expected<int> MakeRoomForWarmCells(int cells_max, int sessions_max);

// Cgroups that killed engines left.
struct Garbage {
  std::vector<std::string> removed;
  std::vector<std::string> kept;
};
Garbage CollectContainerGarbage();

}  // namespace casemate::container
