#include "isolation/microvm/explain.h"

#include <fmt/format.h>

#include <thread>

#include "isolation/microvm/accelerator.h"
#include "isolation/microvm/guest_kernel.h"
#include "isolation/microvm/qemu.h"

namespace casemate::microvm {

std::vector<Document> ExplainGuest(const LaunchSpec& spec, const std::string& folder) {
  auto qemu = FindQemu();
  if (!qemu) return {{"qemu", qemu.error().ToString() + "\n"}};
  auto kernel = FindGuestKernel();
  if (!kernel) return {{"qemu", kernel.error().ToString() + "\n"}};
  const Accelerator accelerator = ChooseAccelerator(folder, {}).accelerator;
  const Machine machine =
      MachineFor(spec.policy.limits, accelerator, static_cast<int>(std::thread::hardware_concurrency()));
  std::string line;
  for (const std::string& word :
       MachineWords(qemu->path, machine, {kernel->image, "initramfs.cpio", "root.sqfs"})) {
    const bool quoted = word.find(' ') != std::string::npos;
    line += (line.empty() ? "" : " ") + (quoted ? "'" + word + "'" : word);
  }
  return {{"qemu", line + " -chardev stdio,id=control,signal=off\n"}};
}

}  // namespace casemate::microvm
