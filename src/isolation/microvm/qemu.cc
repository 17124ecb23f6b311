#include "isolation/microvm/qemu.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/command.h"

namespace casemate::microvm {
namespace {

constexpr const char* kCommand = "qemu-system-x86_64";
constexpr std::string_view kFolders = "/usr/local/bin:/usr/bin:/bin";
constexpr const char* kRemedy = "as root: apt-get install qemu-system-x86";

// The kernel, its tables for the memory, the attendant, and files that it keeps in memory.
constexpr std::int64_t kGuestOwnBytes = 128 * kMiB;
constexpr std::int64_t kStepBytes = 128 * kMiB;
// The heap and the libraries of QEMU, and of an emulation what it has translated.
constexpr std::int64_t kQemuBytes = 256 * kMiB;
constexpr std::int64_t kTranslatedMiB = 128;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  return value == nullptr ? "" : value;
}

std::string FindExecutable() {
  std::string wanted = Variable("CASEMATE_QEMU");
  if (!wanted.empty()) return access(wanted.c_str(), X_OK) == 0 ? wanted : "";
  const std::string folders = Variable("PATH") + ":" + std::string(kFolders);
  std::string_view left = folders;
  while (!left.empty()) {
    const std::string_view folder = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(folder.size() + 1, left.size()));
    std::string path = fmt::format("{}/{}", folder, kCommand);
    if (folder.starts_with('/') && access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

}  // namespace

Expected<Qemu> FindQemu() {
  Qemu qemu;
  const std::string found = FindExecutable();
  if (found.empty()) {
    return Fail(ErrorCode::kUnavailable, fmt::format("there is no {} on this host; {}", kCommand, kRemedy));
  }
  std::error_code error;
  qemu.path = std::filesystem::canonical(found, error);
  // "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"
  constexpr std::string_view kBefore = "version ";
  auto told = RunCommand({found, "--version"});
  const std::size_t at = told ? told->out.find(kBefore) : std::string::npos;
  if (error || !told || told->exit_code != 0 || at == std::string::npos) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} does not tell its version, so it is no working QEMU; {}", found, kRemedy),
                told ? told->err.substr(0, 300) : told.error().ToString());
  }
  const std::size_t begin = at + kBefore.size();
  qemu.version = told->out.substr(begin, told->out.find_first_of(" \n", begin) - begin);
  struct stat info {};
  if (stat(qemu.path.c_str(), &info) == 0) {
    qemu.identity =
        fmt::format("{} {} {}.{}", qemu.path, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return qemu;
}

Machine MachineFor(const Limits& limits, Accelerator accelerator, int host_processors) {
  Machine machine;
  machine.accelerator = accelerator;
  const std::int64_t wanted = limits.memory_bytes + kGuestOwnBytes;
  machine.memory_bytes = (wanted + kStepBytes - 1) / kStepBytes * kStepBytes;
  machine.processors = static_cast<int>(
      std::clamp(std::ceil(limits.cpus), 1.0, static_cast<double>(std::max(host_processors, 1))));
  return machine;
}

std::int64_t QemuMemoryBytes(const Machine& machine) {
  return kQemuBytes + (machine.accelerator == Accelerator::kTcg ? kTranslatedMiB * kMiB : 0);
}

std::vector<std::string> MachineWords(const std::string& qemu, const Machine& machine,
                                      const MachineFiles& files) {
  const bool kvm = machine.accelerator == Accelerator::kKvm;
  return {
      qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-no-hpet",
      // q35 and not `microvm`: that one has no clock by which Debian's kernel could measure an emulated
      // processor.
      "-machine", "q35,smm=off,vmport=off,sata=off,smbus=off,usb=off,graphics=off", "-accel",
      kvm ? "kvm" : fmt::format("tcg,tb-size={}", kTranslatedMiB),
      // Five-level page tables only slow an emulation down.
      "-cpu", kvm ? "host" : "max,la57=off", "-smp", std::to_string(machine.processors), "-m",
      fmt::format("{}M", machine.memory_bytes / kMiB), "-kernel", files.kernel, "-initrd", files.initramfs,
      // An emulated timer that is late on a busy host is no broken one (no_timer_check).
      // Mitigations separate the programs of one kernel; here that is one program. What the guest's processor
      // leaks of the host is the host's to mitigate.
      "-append",
      "quiet loglevel=1 panic=-1 reboot=t no_timer_check mitigations=off random.trust_cpu=on console=ttyS0",
      // First, so that the port is kControlPort.
      "-device", "virtio-serial-pci,max_ports=2", "-device",
      "virtserialport,chardev=control,nr=1,name=casemate", "-drive",
      fmt::format("if=none,id=root,file={},format=raw,readonly=on", files.root), "-device",
      "virtio-blk-pci,drive=root"};
}

}  // namespace casemate::microvm
