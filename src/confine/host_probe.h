#pragma once

#include <vector>

#include "casemate/doctor.h"

namespace casemate {

// The kernel mechanisms that the container tier stands on, one finding each, tried and not guessed. Starts
// short-lived processes; leaves nothing.
std::vector<HostFinding> ProbeHost();

}  // namespace casemate
