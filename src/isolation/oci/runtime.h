#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/policy.h"

namespace casemate::oci {

// The OCI runtimes that this tier knows how to drive. All take the same bundle; they differ in a few flags.
enum class RuntimeKind { kCrun, kRunc, kRunsc, kKata };
std::string_view RuntimeName(RuntimeKind kind);  // "crun", "runc", "runsc", "kata": what --runtime takes
Tier TierOf(RuntimeKind kind);                   // container, container, gvisor, microvm

// An installed runtime.
struct Runtime {
  RuntimeKind kind = RuntimeKind::kCrun;
  std::string path;      // of its executable
  std::string version;   // as it tells it
  std::string platform;  // of runsc: "systrap", "kvm", "ptrace"; otherwise ""

  bool own_kernel() const { return TierOf(kind) >= Tier::kGvisor; }
  std::string Describe() const;  // "runsc release-20260101.0, platform systrap"
};

// Whether a sandbox starts with `runtime` as it is there, its platform included; or why not.
using Trial = std::function<Expected<void>(const Runtime& runtime)>;

// Looks for the runtime: $CASEMATE_CRUN (…_RUNC, _RUNSC, _KATA) when it is set, then PATH and the folders of
// root's commands. Of runsc's platforms it takes the first with which `trial` starts a sandbox: /dev/kvm may
// be there and useless; of crun and runc it says whether they start one at all. Asks it for its version and
// what it can do, once: the answer is kept in
// `cache_folder` (of this user alone; "" for none) as long as the executable is the same. kUnavailable, with
// the remedy, when it is missing, does not answer, or cannot pass descriptors to a container.
Expected<Runtime> FindRuntime(RuntimeKind kind, const std::string& cache_folder, const Trial& trial);

// Parts of it that read what a runtime prints, for tests.
std::string ParseVersion(std::string_view text);
// The platforms that `flags` (`runsc flags`) lists, the best first; kvm only where this process may use
// /dev/kvm.
std::vector<std::string> ListPlatforms(std::string_view flags, bool may_use_kvm);

}  // namespace casemate::oci
