#pragma once

#include "casemate/error.h"
#include "casemate/policy.h"
#include "isolation/oci/bundle.h"
#include "isolation/oci/runtime.h"

namespace casemate::oci {

// The tier's answer to every clause of `policy` with `runtime` on `host`: pure, so that tests can ask about
// hosts that are not there. kUnavailable for a runtime that cannot carry a run; and, with the clause and its
// remedy, when policy.require_limits is set and one does not hold.
Expected<EnforcementReport> AdmitOn(const Host& host, const Runtime& runtime, const Policy& policy);

}  // namespace casemate::oci
