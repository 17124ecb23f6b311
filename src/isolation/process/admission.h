#pragma once

#include "casemate/error.h"
#include "casemate/policy.h"
#include "isolation/process/host.h"

namespace casemate::process {

// The process tier's answer to every clause of `policy` on `host`: pure, so that tests can ask about hosts
// that are not there. kUnavailable where the kernel has no Landlock, without which the program could read and
// write all that the caller can; and, with the clause and its remedy, when policy.require_limits is set and
// one does not hold.
Expected<EnforcementReport> AdmitOn(const Host& host, const Policy& policy);

}  // namespace casemate::process
