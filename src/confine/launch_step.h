#pragma once

#include <cstdint>
#include <string_view>

namespace casemate {

// Where a launch stands. A failure between fork and exec is reported as one of these and an errno: nothing
// there may allocate a message. The order is that of apply.cc.
enum class LaunchStep : std::int32_t {
  kNone,
  kParentDeathSignal,
  kEnterCgroup,
  kUnshareCgroup,
  kWaitForIds,
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
};

// What the step does, as it reads after "cannot": "mount the new root", ...
std::string_view LaunchStepName(LaunchStep step);

// The messages on the launch socket (SOCK_SEQPACKET), child to parent; each is one packet of this size.
enum class LaunchMessageKind : std::int32_t {
  kReady,     // init waits for its ids; the cgroup has been entered
  kMounted,   // descriptors attached: the scratch file system, /workspace; files may be sent now
  kListener,  // descriptor attached: the seccomp listener; the next step is exec
  kFailed,    // `step` and `err` say why; nothing follows
  kCloned,    // of a cell alone; descriptor attached: a pidfd of its init
};
struct LaunchMessage {
  LaunchMessageKind kind;
  LaunchStep step;
  std::int32_t err;
  std::int32_t unused;  // no padding: the struct travels as bytes
  std::int64_t at_us;   // CLOCK_MONOTONIC
};

// Parent to child: kGo, then a stream of files (file_stream.h) when the plan says so.
inline constexpr char kLaunchGo = 'g';

}  // namespace casemate
