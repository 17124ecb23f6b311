#pragma once

#include <linux/filter.h>

#include <vector>

#include "confine/seccomp_tables.h"

namespace casemate::microvm {

// The filter of `tables` for a place where nobody listens: a call that it would leave to user notification
// gets its family's errno from the kernel.
std::vector<sock_filter> GuestFilter(const SeccompTables& tables);

}  // namespace casemate::microvm
