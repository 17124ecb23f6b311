#pragma once

namespace casemate {

// Copies what is below the folder `from` into the folder `to`: folders, regular files with their holes,
// symbolic links, FIFOs, each with its owner, mode and times; nothing else. A file with several names becomes
// several files. What is there already of a folder stays. Async-signal-safe, and allocates nothing. 0 or
// -errno; -ELOOP for folders nested deeper than 64.
int CopyTree(int from, int to);

}  // namespace casemate
