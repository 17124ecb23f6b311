#pragma once

#include <string>

#include "casemate/backend.h"

namespace casemate::docker {

// All that the attendant is told before the program starts, as bytes of the wire: files, secrets, words,
// limits.
Expected<std::string> LaunchOrder(const LaunchSpec& spec);

}  // namespace casemate::docker
