#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace casemate::container {

// What the kernel says of a process that waits in a call of its own: a look at it cannot be outrun.
struct WaitingProcess {
  pid_t pid = -1;   // here
  pid_t init = -1;  // pid 1 of its namespace
};

// Why the origin cannot be copied, as a sentence; "" when it can. Memory that is shared and can be written
// would be shared with its copies.
std::string WhyNoBranch(pid_t program, int scratch, int workspace);

// Why one of these copies is none that may be let go; "" when all may: one thread, the child of the reaper
// (whose program is the file behind `reaper`) alone, every capability gone, no_new_privs and the filter held,
// no descriptor, the new workspace as its working folder, no memory shared with anybody.
struct BranchExpected {
  int reaper = -1;
  int workspace = -1;
  int origin_scratch = -1;
  std::string origin_status;  // as StatusOf() had it when there were no copies: whose ids they are to have
};
std::string WhyNoCopy(const WaitingProcess& copy, const BranchExpected& expected);
// Whether two processes have one memory, or whether that cannot be known.
bool ShareMemory(pid_t one, pid_t other);

// /proc/PID/status.
std::string StatusOf(pid_t pid);
// What it says: of a process that is gone, -1.
pid_t ParentIn(const std::string& status);
int ThreadsIn(const std::string& status);
// The last number of NSpid: what it is called in its own pid namespace.
int InnermostPidIn(const std::string& status);

// Kills everything below `init` but the `kept` ones and what is below these, and waits until nothing else is
// left; false when that has not happened in a second. `parked`, when it is not -1, is
// killed and not waited for: its only thread is in the kernel, and does not come back from there.
bool EndAllBut(pid_t init, std::span<const pid_t> kept, pid_t parked);

}  // namespace casemate::container
