#pragma once

#include <linux/filter.h>

#include <span>
#include <string_view>

#include "confine/seccomp_tables.h"

namespace casemate {

// The tables of the architecture that this code is built for.
const SeccompTables& ContainerSeccompTables();

// The container tier's filter: what is allowed runs, what is not goes to user notification, entry by another
// architecture's numbers (int 0x80, x32) kills the process with SIGSYS. Static storage.
std::span<const sock_filter> ContainerSeccompFilter();

// The same as the `linux.seccomp` object of an OCI configuration, JSON text: without user notification, so
// refused calls are answered by the kernel and told to nobody.
std::string_view ContainerSeccompOci();

// The same for the process tier, whose filter is narrower: what a private namespace makes harmless is
// refused.
const SeccompTables& ProcessSeccompTables();

// The name of a system call of this architecture; empty for a number that no table knows.
std::string_view SyscallName(int nr);

struct SyscallRefusal {
  std::string_view reason;  // why it is not allowed
  std::string_view remedy;  // what to do instead
};
// One sentence each, for any number.
SyscallRefusal ExplainSyscallRefusal(int nr, const SeccompTables& tables = ContainerSeccompTables());

// Installs `program` on the calling thread, which must be the only one of its process and must have
// no_new_privs set; it holds for all that the thread forks or executes later, and cannot be removed.
//
// With a listener: returns its descriptor (close-on-exec). Every call that the program leaves to user
// notification then blocks until SeccompListener has answered it; once all copies of the descriptor are
// closed, the kernel answers ENOSYS. Without one: returns 0, and such calls fail with ENOSYS at once.
// Returns -errno on failure, with no filter installed. Async-signal-safe.
int InstallSeccompFilter(std::span<const sock_filter> program, bool with_listener);

}  // namespace casemate
