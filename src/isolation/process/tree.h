#pragma once

#include <cstdint>

namespace casemate::process {

// Adds up what lies below `folder`: bytes on the disk and entries, down to 128 folders and to `entries_max`
// entries in all. Follows no link; whoever writes there may go on meanwhile.
void MeasureTree(int folder, std::int64_t entries_max, std::int64_t& bytes, std::int64_t& entries);

// Removes all that is in `folder`, to any depth, with a bounded number of descriptors and whatever modes its
// folders have. Nobody else may change it meanwhile; follows no link. What cannot be removed stays.
void EmptyFolder(int folder);

}  // namespace casemate::process
