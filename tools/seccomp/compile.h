#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

#include "profile.h"

namespace casemate::seccomp_tool {

// A profile for one architecture.
struct Compiled {
  std::string architecture;              // "x86_64"
  std::uint32_t audit_architecture = 0;  // AUDIT_ARCH_X86_64
  std::vector<sock_filter> program;
  std::vector<std::string> names;       // by number; "" for numbers without a name
  std::vector<std::uint8_t> family_of;  // by number: an index into `families`
  std::vector<Family> families;         // the profile's, then those of [newer]
  int connect_number = -1;
  int socket_number = -1;
};

// Compiles the profile for one of its architectures, on any host. Faults go to `errors` as in LoadProfile.
Compiled Compile(const Profile& profile, const std::string& architecture, std::vector<std::string>& errors);

}  // namespace casemate::seccomp_tool
