#pragma once

#include <sys/types.h>

#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// The namespaces of a cell that cost too much, or need too much power, to be made when it is forked. They
// have no process in them until then, and belong to one cell at a time.
struct CellSpaces {
  UniqueFd user;     // maps 0 and 1000 to the cell's own pair of ids; owned by the zygote's user id
  UniqueFd network;  // owned by `user`; no interface is up
};

struct CellSpacesRequest {
  int zygote_user_namespace = -1;
  bool single_id = false;    // the zygote maps one id alone, and so do its cells
  std::vector<uid_t> cells;  // by number: each has its own pair of the zygote's ids
};

// Makes the spaces of these cells, in this order. Blocks for about a millisecond each. Any thread.
Expected<std::vector<CellSpaces>> MakeCellSpaces(const CellSpacesRequest& request);

}  // namespace casemate
