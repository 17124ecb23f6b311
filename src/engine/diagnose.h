#pragma once

#include "casemate/doctor.h"
#include "engine/flow.h"

namespace casemate {

// Diagnose() for given parts: asks every backend, runs a small program in each tier, looks at the host's
// mechanisms one by one.
DoctorReport DiagnoseParts(EngineParts parts);

}  // namespace casemate
