#pragma once

namespace casemate {

// From here on the interpreter takes the memory of its small objects from ranges for which the kernel is
// asked to use huge pages: a fork copies one entry for 2 MiB of them, where it copies 512 of small pages.
// Does nothing in an interpreter that has no arenas of its own. Called with the interpreter's lock, once.
void UseHugeArenas();

// Whether the kernel may use huge pages for what this process asks it to (prctl(2), PR_SET_THP_DISABLE). A
// zygote and cells that wait may not: they would be larger by what a huge page has too much.
void AllowHugePages(bool allow);

}  // namespace casemate
