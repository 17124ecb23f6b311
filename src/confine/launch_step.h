#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace casemate {

// Where a launch stands. A failure between fork and exec is reported as one of these and an errno: nothing
// there may allocate a message. The order is that of apply.cc.
enum class LaunchStep : std::int32_t {
  kNone,
  kParentDeathSignal,
  kUnshareNetwork,
  kWaitForIds,
  kEnterCgroup,
  kUnshareCgroup,
  kSetIds,
  kPrivateMounts,
  kNewRoot,
  kRootFiles,
  kBindMounts,
  kScratch,
  kDevices,
  kProc,
  kPivot,
  kSealRoot,
  kHostName,
  kWorkingDir,
  kInputFiles,
  kForkProgram,
  kSession,
  kDescriptors,
  kResourceLimits,
  kBoundingSet,
  kDropIds,
  kDropCapabilities,
  kNoNewPrivileges,
  kLandlock,
  kVerify,
  kSeccomp,
  kReportListener,
  kExecProgram,
  kEnterNamespaces,
  kForkCell,
  kSubreaper,
  kListChildren,
  kCountProcesses,
  kSecrets,
  kEgress,
  kTerminal,
};

// What the step does, as it reads after "cannot": "mount the new root", ...
std::string_view LaunchStepName(LaunchStep step);

// The messages on the launch socket (SOCK_SEQPACKET), child to parent; each is one packet of this size.
enum class LaunchMessageKind : std::int32_t {
  kReady,     // init waits for its ids and cgroups; descriptor attached where the plan says so: egress_port's
  kMounted,   // descriptors attached: the scratch file system, /workspace; files may be sent now
  kListener,  // descriptor attached: the seccomp listener; the next step is exec
  kFailed,    // `step` and `err` say why; nothing follows
  kTerminal,  // descriptor attached: the engine's end of the program's terminal
  kCloned,    // of a cell alone; descriptor attached: a pidfd of its init
};
struct LaunchMessage {
  LaunchMessageKind kind;
  LaunchStep step;
  std::int32_t err;
  std::int32_t unused;  // no padding: the struct travels as bytes
  std::int64_t at_us;   // CLOCK_MONOTONIC
};

// Parent to child, once the ids are mapped: this, with `cgroups` descriptors of version 1 `tasks` files
// attached, then a stream of files (file_stream.h) when the plan says so.
struct LaunchGo {
  char word = 'g';
  std::uint8_t cgroups = 0;
};
inline constexpr std::size_t kLaunchCgroupsMax = 4;

}  // namespace casemate
