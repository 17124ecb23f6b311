#pragma once

namespace casemate {

// Asks for huge pages where the C library's allocator puts what is too large for an arena (huge_arenas.h):
// its heap as it grows, and blocks of megabytes, which have mappings of their own. Of no effect in an
// interpreter that does not tell of its allocator.
void UseHugeBlocks();

}  // namespace casemate
