#include "isolation/microvm/accelerator.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/file.h"

namespace casemate::microvm {
namespace {

constexpr const char* kBoots = "boots";
constexpr std::int64_t kKvmBootMs = 15'000;
constexpr std::int64_t kTcgBootMs = 180'000;

std::string NoteFile(const std::string& folder) {
  return fmt::format("{}/kvm-{}", folder, ReadKernelFile("/proc/sys/kernel/random/boot_id"));
}

}  // namespace

AcceleratorChoice ChooseAccelerator(const std::string& folder, const KvmTrial& trial) {
  struct stat info {};
  if (stat("/dev/kvm", &info) != 0) return {Accelerator::kTcg, "this host has no /dev/kvm"};
  constexpr mode_t kForAll = S_IROTH | S_IWOTH;
  if ((info.st_mode & kForAll) != kForAll)
    return {Accelerator::kTcg, "/dev/kvm is closed to QEMU's user; as root: chmod 666 /dev/kvm"};
  std::string known = ReadKernelFile(NoteFile(folder));
  if (known.empty() && !trial) return {Accelerator::kTcg, "no guest has been tried with this host's KVM yet"};
  if (known.empty()) {
    const auto booted = trial();
    known = booted ? kBoots : "no guest boots with this host's KVM: " + booted.error().message;
    // Without it the next engine tries again.
    if (MakeFolders(folder, 0700)) (void)WriteFileAtomically(NoteFile(folder), known + "\n", 0644);
  }
  if (known != kBoots) return {Accelerator::kTcg, std::move(known)};
  return {Accelerator::kKvm, ""};
}

std::int64_t BootTimeoutMs(Accelerator accelerator) {
  return accelerator == Accelerator::kKvm ? kKvmBootMs : kTcgBootMs;
}

}  // namespace casemate::microvm
