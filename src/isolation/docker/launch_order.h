#pragma once

#include <string>

#include "casemate/backend.h"

namespace casemate::docker {

// Whether the sandbox has the host's folder of a workspace itself (`ro`, `rw`), or gets a copy in any mode.
enum class HostFolder { kSeen, kCopied };

// All that the attendant is told before the program starts, as bytes of the wire: files, secrets, words,
// limits.
Expected<std::string> LaunchOrder(const LaunchSpec& spec, HostFolder folder = HostFolder::kSeen);

}  // namespace casemate::docker
