#pragma once

#include <string>

#include "profile.h"

namespace casemate::seccomp_tool {

// The profile as the `linux.seccomp` object of an OCI runtime configuration (config-linux.md), for whichever
// architecture the runtime is on. What is refused gets the errno of its family; numbers of [newer] have no
// name there and get that of what no family names. Needs no libseccomp.
std::string EmitOci(const Profile& profile);

}  // namespace casemate::seccomp_tool
