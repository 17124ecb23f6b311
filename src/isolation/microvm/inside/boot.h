#pragma once

#include <cstdint>

namespace casemate::microvm {

// What a guest's init is told, once for each run, through the control port, before the attendant's own
// protocol begins there (isolation/wire/wire.h). Both ends are of one build and one architecture. A
// template of a guest waits for it; so everything in it is of the one run.
struct BootOrder {
  static constexpr std::uint32_t kMagic = 0x43534d31;
  static constexpr std::uint32_t kFilterMax = 4096;  // BPF_MAXINSNS
  static constexpr std::uint32_t kEntropyBytes = 64;

  std::uint32_t magic = kMagic;
  std::uint32_t filter_length = 0;  // of struct sock_filter; they follow this
  std::int64_t realtime_s = 0;
  std::int64_t realtime_ns = 0;
  std::uint64_t memory_bytes = 0;             // of the cgroup of all that runs there
  std::uint64_t processes_max = 0;            // likewise, with the attendant
  std::uint64_t scratch_bytes = 0;            // of /tmp, /dev/shm and /workspace together
  std::uint64_t scratch_files = 0;            // likewise
  std::uint64_t own_bytes = 0;                // of /casemate: our files and the secrets
  std::uint64_t raises_loopback = 0;          // 1: there is a network
  std::uint64_t open_files_max = 0;           // hard, for the attendant and what it starts
  unsigned char entropy[kEntropyBytes] = {};  // NOLINT(modernize-avoid-c-arrays): of the wire
};
static_assert(sizeof(BootOrder) == 2 * 4 + 9 * 8 + BootOrder::kEntropyBytes);

// The control port's name in the guest (virtio-serial, /sys/class/virtio-ports/*/name) and its device there.
inline constexpr const char* kControlPort = "/dev/vport0p1";
// What the attendant gets besides the port as its stdin and stdout: the folder of the guest's cgroup.
inline constexpr int kCgroupFd = 3;
inline constexpr const char* kCgroupWord = "cgroup";
// Modules in the initramfs, one path a line, each after those that it needs.
inline constexpr const char* kModuleList = "/modules.list";

}  // namespace casemate::microvm
