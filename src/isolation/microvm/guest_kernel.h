#pragma once

#include <string>
#include <vector>

#include "casemate/error.h"

namespace casemate::microvm {

// A kernel for guests: Debian's package linux-image-cloud-amd64, installed or only unpacked.
struct GuestKernel {
  std::string image;    // boot/vmlinuz-VERSION
  std::string version;  // "6.1.0-56-cloud-amd64"
  // Files of the modules that a guest needs, each after those that it needs itself.
  std::vector<std::string> modules;
};

// In $CASEMATE_GUEST_KERNEL, where tools/fetch_guest_kernel puts it (lib/casemate/guest-kernel of ~/.local,
// /usr/local or /usr), or in this host's own /boot: the newest of the first place that has one. kUnavailable,
// with what to do, where there is none, or one that lacks a module.
Expected<GuestKernel> FindGuestKernel();
Expected<GuestKernel> FindGuestKernelIn(const std::string& folder);

// The names in the field `depends` of a module's .modinfo section; any bytes are safe.
std::vector<std::string> ModuleDependencies(std::string_view module);

}  // namespace casemate::microvm
