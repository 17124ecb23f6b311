#pragma once

#include "casemate/error.h"
#include "casemate/policy.h"
#include "isolation/container/launch_plan.h"

namespace casemate::container {

// The container tier's answer to every clause of `policy` on `host`: pure, so that tests can ask about hosts
// that are not there. kUnavailable, with the clause and its remedy, when policy.require_limits is set and
// one does not hold.
Expected<EnforcementReport> AdmitOn(const Host& host, const Policy& policy);

}  // namespace casemate::container
