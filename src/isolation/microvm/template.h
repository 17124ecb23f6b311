#pragma once

#include <string>

#include "isolation/microvm/qemu.h"

namespace casemate::microvm {

// Boots a guest until its init is ready (inside/main.cc), and writes the machine's whole state, memory and
// devices, to `file`. Nothing of any run is in it. `console` gets what the guest's kernel and QEMU print.
// kUnavailable, with their last words, when the guest is not ready within `timeout_ms`, and when QEMU cannot
// write. Nothing runs any more when it returns, nor when this process is killed.
Expected<void> MakeTemplate(const Qemu& qemu, const Machine& machine, const MachineFiles& files,
                            std::int64_t timeout_ms, const std::string& console, const std::string& file);

// Whether a guest comes as far as our init. `files.root` may be any file.
Expected<void> TryBoot(const Qemu& qemu, const Machine& machine, const MachineFiles& files,
                       std::int64_t timeout_ms, const std::string& console);

}  // namespace casemate::microvm
