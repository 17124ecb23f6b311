#pragma once

#include "casemate/backend.h"

namespace casemate::docker {

// What GET /info tells of a Docker Engine and its host.
struct EngineFacts {
  bool local = true;
  bool maps_users = false;    // userns-remap, or rootless
  bool limits_memory = true;  // and swap with it
  bool limits_processes = true;
  bool limits_cpus = true;
  bool filters_calls = true;  // seccomp
  std::string cgroup_version = "1";
  std::string runtime;  // the one that containers are run with: "runc"
};

// Answers every clause. kUnavailable when the policy requires all and one does not hold.
Expected<EnforcementReport> AdmitOn(const EngineFacts& engine, const Policy& policy);

}  // namespace casemate::docker
