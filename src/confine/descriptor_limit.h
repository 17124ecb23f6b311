#pragma once

#include <sys/resource.h>

#include "casemate/error.h"

namespace casemate {

// The program inherits descriptors by number up to kResultFd, and the child parks its own above kParkingPlace
// (steps.cc).
inline constexpr rlim_t kDescriptorsOfLaunch = 2100;

// Raises this process's soft limit of open files to at least `needed`. kUnavailable, with the remedy, where
// the hard limit is lower.
Expected<void> RaiseDescriptorLimit(rlim_t needed);

}  // namespace casemate
