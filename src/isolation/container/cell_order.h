#pragma once

#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "isolation/container/channels.h"
#include "zygote/cell_spaces.h"

namespace casemate::container {

// Asks the zygote behind `control` (zygote/cell_message.h) for a cell with these descriptors. What becomes of
// it is told on `ends.ours`. Without `rehearse` it is ready sooner, and its program slower.
Expected<void> SendOrder(int control, const ChannelEnds& ends, const CellSpaces& spaces,
                         const std::vector<UniqueFd>& tasks, bool rehearse);

}  // namespace casemate::container
