#pragma once

#include <string>
#include <vector>

#include "casemate/engine.h"
#include "casemate/policy.h"

namespace casemate {

// One mechanism of this host, as found by trying it, not by reading a version.
struct HostFinding {
  enum class State { kOk, kWeak, kMissing };
  std::string mechanism;  // "user namespaces", "cgroup memory controller", ...
  State state = State::kOk;
  std::string detail;  // what was found
  std::string remedy;  // the exact command that makes it kOk; empty when it is
};

// Whether a tier can run here, and what it would hold.
struct TierFinding {
  Tier tier = Tier::kContainer;
  std::string runtime;  // "runsc"; empty for Casemate's own
  bool works = false;
  std::string why_not;  // empty when it works
  std::string remedy;
  EnforcementReport report;
};

struct DoctorReport {
  std::vector<HostFinding> findings;
  std::vector<TierFinding> tiers;
  std::string python;          // the default environment's interpreter; empty when there is none
  std::string python_version;  // "3.11.2"
  std::string python_prefix;
  std::string state_dir;
  bool healthy = false;  // the default tier holds all its guarantees
};

// Looks at this host. Starts short-lived processes of its own and leaves nothing.
DoctorReport Diagnose(const EngineOptions& options);

// What an earlier run that was killed could not remove, removed now.
struct GarbageReport {
  std::vector<std::string> removed;  // paths of cgroups and files
  std::vector<std::string> kept;     // what could not be removed, each with its reason
};
GarbageReport CollectGarbage(const EngineOptions& options);

}  // namespace casemate
