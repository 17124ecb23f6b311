#pragma once

#include <string>

#include "casemate/policy.h"

namespace casemate::microvm {

// What holds `policy` for a guest, where `wall` is what the container tier says of the walls around QEMU and
// `machine` names QEMU and how it runs ("QEMU 7.2.22 with KVM").
Expected<EnforcementReport> AdmitGuest(const EnforcementReport& wall, const std::string& machine,
                                       const Policy& policy);

}  // namespace casemate::microvm
