#pragma once

#include <string>

#include "compile.h"

namespace casemate::seccomp_tool {

// The same profile for one architecture as Docker's JSON (the engine's `seccomp=` security option). Docker
// has no listener: what the profile leaves to the supervisor is refused with the errno of its family, EPERM
// where some calls of that name are allowed by their arguments.
std::string EmitDockerProfile(const Profile& profile, const Compiled& compiled);

}  // namespace casemate::seccomp_tool
