#pragma once

#include <string>

#include "isolation/container/cell_states.h"

namespace casemate::container {

// Takes one message of a cell that is being born, if there is one. True when the birth is over, well or not;
// `error` says why not. `counts_all`: by cgroups, so that the tree below its init need not be sampled.
bool AttendBirth(Cell& birth, bool counts_all, std::string& error);

}  // namespace casemate::container
