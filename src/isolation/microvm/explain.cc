#include "isolation/microvm/explain.h"

#include <fmt/format.h>
#include <unistd.h>

#include <thread>

#include "isolation/microvm/guest_kernel.h"
#include "isolation/microvm/qemu.h"

namespace casemate::microvm {

std::vector<Document> ExplainGuest(const LaunchSpec& spec) {
  auto qemu = FindQemu();
  if (!qemu) return {{"qemu", qemu.error().ToString() + "\n"}};
  auto kernel = FindGuestKernel();
  if (!kernel) return {{"qemu", kernel.error().ToString() + "\n"}};
  const bool kvm = access("/dev/kvm", R_OK | W_OK) == 0;
  const Machine machine = MachineFor(spec.policy.limits, kvm ? Accelerator::kKvm : Accelerator::kTcg,
                                     static_cast<int>(std::thread::hardware_concurrency()));
  std::string line;
  for (const std::string& word :
       MachineWords(qemu->path, machine, {kernel->image, "initramfs.cpio", "root.sqfs"})) {
    const bool quoted = word.find(' ') != std::string::npos;
    line += (line.empty() ? "" : " ") + (quoted ? "'" + word + "'" : word);
  }
  return {{"qemu", line + " -chardev stdio,id=control,signal=off\n"}};
}

}  // namespace casemate::microvm
