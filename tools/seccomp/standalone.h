#pragma once

#include <linux/filter.h>

#include <vector>

#include "compile.h"

namespace casemate::seccomp_tool {

// The compiled program for a place where nobody listens, with as few instructions as it can be told in: a
// call that the program would leave to user notification is answered with its family's errno. gVisor runs a
// whole filter over all numbers, with memory for each instruction, whenever a process is filtered, forks or
// executes something. Empty, with a fault in `errors`, where the program has an instruction that libseccomp
// does not emit.
std::vector<sock_filter> Standalone(const Compiled& compiled, std::vector<std::string>& errors);

}  // namespace casemate::seccomp_tool
