#pragma once

#include <string>

#include "compile.h"

namespace casemate::seccomp_tool {

// The C++ source that defines the tables of one architecture (src/confine/seccomp_tables.h).
std::string EmitSource(const Profile& profile, const Compiled& compiled,
                       const std::vector<sock_filter>& standalone);

}  // namespace casemate::seccomp_tool
