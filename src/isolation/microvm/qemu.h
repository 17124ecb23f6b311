#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "casemate/error.h"

namespace casemate::microvm {

enum class Accelerator { kKvm, kTcg };

// The host's QEMU.
struct Qemu {
  std::string path;      // of qemu-system-x86_64, without links
  std::string version;   // "7.2.22"
  std::string identity;  // tells this executable from one that was installed over it
};
// $CASEMATE_QEMU or the one of PATH and the usual folders. kUnavailable, with what to install, where there is
// none or it does not tell its version. Milliseconds: it is started.
Expected<Qemu> FindQemu();

// What a guest's machine is. Two of the same words are the same machine: a template of one can be loaded into
// the other.
struct Machine {
  Accelerator accelerator = Accelerator::kTcg;
  std::int64_t memory_bytes = 0;
  int processors = 1;
};
// The machine for a run: memory for its limit and the guest's kernel, in steps, so that few templates do for
// all.
Machine MachineFor(const Limits& limits, Accelerator accelerator, int host_processors);
// What QEMU itself may take of the host's memory besides the guest's.
std::int64_t QemuMemoryBytes(const Machine& machine);

struct MachineFiles {
  std::string kernel;
  std::string initramfs;
  std::string root;
};
// The command line, but for its control port's other end (-chardev with the id "control").
std::vector<std::string> MachineWords(const std::string& qemu, const Machine& machine,
                                      const MachineFiles& files);

}  // namespace casemate::microvm
