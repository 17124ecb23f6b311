#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "confine/seccomp_tables.h"

namespace casemate {

// What a sandbox has whose filter nobody listens to: no interface that is up, or the loopback, behind which
// are the sandbox itself and its way out.
enum class SandboxNetwork { kNone, kLoopback };

// The filter of `tables` for a kernel of the sandbox's own, or a place where nobody listens: a call that it
// would leave to user notification gets its family's errno from the kernel. With a loopback, the sockets and
// connects that SeccompListener lets through are allowed: to any address, since there is no other interface.
std::vector<sock_filter> StandaloneSeccompFilter(const SeccompTables& tables, SandboxNetwork network);

// The same of an OCI configuration: to be inserted behind the last rule of ContainerSeccompOci(), or of
// Docker's, where there is a loopback.
std::string OciSocketRules();

}  // namespace casemate
