#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "confine/plan.h"
#include "isolation/oci/runtime.h"

namespace casemate::oci {

// Something mounted in the container.
struct ConfigMount {
  std::string destination;  // absolute, inside
  std::string type;         // "bind", "proc", "tmpfs"
  std::string source;
  std::vector<std::string> options;
};

// What a configuration says, decided.
struct Config {
  RuntimeKind kind = RuntimeKind::kCrun;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;  // secrets never: they go past it, through a descriptor
  std::string working_dir;
  std::vector<ResourceLimit> resource_limits;
  std::vector<ConfigMount> mounts;  // parents before children
  uid_t root_id = 0;                // of root inside, where the runtime is started
  uid_t program_id = 0;             // and of the program; the same where there is one id
  // The container's init installs the filter of system calls, and the runtime none.
  bool init_filters = false;
  bool network = false;  // TCP and UDP sockets may be made: there is a loopback, and nothing else
  Limits limits;
};

// The file of the OCI Runtime Specification (1.0.2, config.md), with every limit, mount, system call rule and
// id mapping of the run. Limits of control groups are in it for who takes it elsewhere and for the runtimes
// that only read them; here the engine's own cgroup, which the runtime is started in, holds them.
std::string WriteConfig(const Config& config);

}  // namespace casemate::oci
