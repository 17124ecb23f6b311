#pragma once

namespace casemate {

// Gives the terminal `to` the rows and columns of the terminal `from`; what runs on it is told (SIGWINCH).
// Nothing happens when one of them is no terminal. Any thread.
void CopyWindowSize(int from, int to);

}  // namespace casemate
