#pragma once

#include <linux/filter.h>

#include <memory>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "confine/cgroup_host.h"
#include "confine/id_pool.h"
#include "isolation/oci/config.h"
#include "isolation/oci/runtime.h"
#include "isolation/oci/runtime_child.h"

namespace casemate::oci {

// What this host gives the tier; found once, valid for the life of the process.
struct Host {
  CgroupHost cgroups;
  IdSource ids;
  std::string lock_folder;  // for leases of ids
};

// The ids of a run where its runtime is started: the host's own for root, and otherwise those of a user
// namespace of ours around the runtime. Both are 0 where the caller's own id is all that there is: runtimes
// want a root of the container, and the program is that, without a capability.
struct RuntimeIds {
  uid_t root = 0;
  uid_t program = 1;
};
RuntimeIds IdsOfRuntime(const IdSource& ids, const IdLease& lease);

// A run's bundle, all of it but its descriptors and opened folders.
struct Bundle {
  RuntimePlan plan;
  Config config;
  std::vector<sock_filter> filter;  // that the container's init installs; empty for a portable bundle
};

// The bundle of `spec`. Its folders of the host are in plan.base.binds, to be opened by the engine, or by the
// child for an ordinary user; in the configuration they are below the place of the bundle. With `portable`,
// for a person to read and to take elsewhere, the configuration names the host's own paths instead. `ids` are
// those that the run has (IdsFor), with what is leased of them.
Expected<std::unique_ptr<Bundle>> MakeBundle(const LaunchSpec& spec, const Host& host, const Runtime& runtime,
                                             const IdSource& ids, const IdLease& lease,
                                             bool portable = false);

// The limits of the run's own cgroup: while the runtime starts, which needs memory and threads of its own,
// and from the program's start on.
Limits LimitsAtStart(const Limits& limits);
Limits LimitsOfRun(const Limits& limits, const Runtime& runtime);
// Where there is a network: with what its way out may have beside the program, which is one process and this
// memory, for each connection a window of the wire and as much for its frames.
Limits WithWayOut(const Limits& limits, const Policy& policy);
constexpr std::int64_t WayOutBytes(const NetworkLimits& limits) {
  return 4 * kMiB + limits.connections_max * 128 * 1024;
}
// What gVisor's own kernel and its file server may have beside the program's memory.
inline constexpr std::int64_t kSentryBytes = 64 * kMiB;

}  // namespace casemate::oci
