#pragma once

#include <string>

#include "casemate/doctor.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

// A table for people: a mark (✓ ! ✗), the mechanism, what was found, and below it the remedy.
std::string DoctorText(const DoctorReport& report, const Style& style);
std::string DoctorJson(const DoctorReport& report);

std::string GarbageText(const GarbageReport& report, const Style& style);
std::string GarbageJson(const GarbageReport& report);

}  // namespace casemate
