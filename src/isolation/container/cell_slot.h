#pragma once

#include <optional>
#include <vector>

#include "casemate/limits.h"
#include "confine/cgroup.h"
#include "confine/id_pool.h"
#include "zygote/cell_spaces.h"

namespace casemate::container {

// What one cell at a time uses of the kernel: namespaces, ids and cgroups. It is used again when its last
// cell has left it as it was found.
struct CellSlot {
  CellSpaces spaces;
  uid_t host_ids = 0;  // init's; the program's is the next one
  std::optional<Cgroup> cgroup;
  std::vector<UniqueFd> entrances;  // of the cgroup
  Limits limits;                    // what the cgroup holds now
};

}  // namespace casemate::container
