#pragma once

#include <functional>
#include <string>

#include "isolation/microvm/qemu.h"

namespace casemate::microvm {

struct AcceleratorChoice {
  Accelerator accelerator = Accelerator::kTcg;
  std::string why_not_kvm;  // with the remedy; empty with KVM
};

// Whether a guest boots with KVM; the error says why not.
using KvmTrial = std::function<Expected<void>()>;

// KVM where /dev/kvm is there for every user (QEMU's walls give it an id of its own) and a guest boots on it:
// some hosts have the device and run no ordinary guest. `folder` remembers that until the host's next start.
// Without a trial (null) what is not known counts as not having it.
AcceleratorChoice ChooseAccelerator(const std::string& folder, const KvmTrial& trial);

// What a guest may take to boot, before it counts as one that never will.
std::int64_t BootTimeoutMs(Accelerator accelerator);

}  // namespace casemate::microvm
