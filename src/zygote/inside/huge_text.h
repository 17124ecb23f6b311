#pragma once

namespace casemate {

// Moves what of the interpreter's code and constants fills huge pages into such, at the same addresses: a
// fork copies one entry for 2 MiB of them, and a child has no faults there. Where the kernel gives no huge
// page the file stays mapped. Constants that share a huge page with code can be executed then; nothing of it
// can be written, as before. To be called by the only thread, before AllowHugePages(false).
void UseHugeText();

}  // namespace casemate
