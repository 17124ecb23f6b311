#pragma once

#include <sys/types.h>

#include "confine/root.h"

namespace casemate {

// A terminal of the sandbox's own: /dev/pts is a file system of its own, in which there is this one
// pseudo-terminal and can be no other. The caller's terminal is never inside.
struct TerminalEnds {
  int engine = -1;   // reads what the program writes, writes what it reads
  int program = -1;  // its stdin, stdout and stderr
};

// Makes it in the sandbox's root, where /dev/pts is an empty folder; `owner` may open /dev/pts/0. Needs
// CAP_SYS_ADMIN. Async-signal-safe; both ends are closed by exec.
StepResult OpenTerminal(uid_t owner, TerminalEnds& ends);

// Makes descriptor 0 the terminal of the calling session. 0 or -errno.
int TakeTerminal();

}  // namespace casemate
