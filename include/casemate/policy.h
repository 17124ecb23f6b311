#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/checks.h"
#include "casemate/limits.h"
#include "casemate/network.h"

namespace casemate {

// The isolation tiers, weakest to strongest.
enum class Tier { kProcess, kContainer, kDocker, kGvisor, kMicrovm };
std::string_view TierName(Tier tier);
std::optional<Tier> ParseTier(std::string_view name);

// What a run promises its caller. A backend answers for each of them in Admit(): the mechanism that
// holds it, a weaker mechanism with its reason, or a refusal. The switch there has no default, so a new
// clause does not compile until every backend has answered.
enum class PolicyClause {
  kWallTime,    // the run ends at its deadline, whatever it does
  kCpuTime,     // total CPU time of all its processes
  kCpuShare,    // share of CPU at any time
  kMemory,      // all memory, in one number
  kProcesses,   // processes and threads
  kDisk,        // bytes and files it can leave in writable places
  kFileSize,    // one file's size
  kOpenFiles,   // descriptors
  kOutput,      // stdout, stderr, result, displays
  kFilesystem,  // sees and writes only what it was given
  kNetwork,     // reaches only what it was given
  kPidSpace,    // sees, signals and traces only its own processes
  kIdentity,    // runs under ids that nobody else on the host has
  kPrivileges,  // no capability, no way to gain one
  kSyscalls,    // only the listed system calls
  kTeardown,    // nothing of it survives its end, nor the engine's
};
inline constexpr std::array kAllPolicyClauses = {
    PolicyClause::kWallTime,  PolicyClause::kCpuTime,    PolicyClause::kCpuShare, PolicyClause::kMemory,
    PolicyClause::kProcesses, PolicyClause::kDisk,       PolicyClause::kFileSize, PolicyClause::kOpenFiles,
    PolicyClause::kOutput,    PolicyClause::kFilesystem, PolicyClause::kNetwork,  PolicyClause::kPidSpace,
    PolicyClause::kIdentity,  PolicyClause::kPrivileges, PolicyClause::kSyscalls, PolicyClause::kTeardown,
};
std::string_view PolicyClauseName(PolicyClause clause);  // "wall_time", "cpu_time", ...

// A guarantee that holds, and what holds it.
struct Enforced {
  std::string guarantee;  // a PolicyClauseName
  std::string mechanism;  // "cgroup v2 memory.max", "pid namespace", ...
  friend bool operator==(const Enforced&, const Enforced&) = default;
};

// A guarantee that rests on less than it should, or on nothing.
struct NotEnforced {
  std::string guarantee;
  std::string reason;    // what the host does not give
  std::string fallback;  // the weaker mechanism in use; empty when there is none
  std::string remedy;    // the command or setting that makes it hold
  friend bool operator==(const NotEnforced&, const NotEnforced&) = default;
};

// A stronger tier of this build that did not run the program, and why.
struct PassedOver {
  Tier tier = Tier::kContainer;
  std::string reason;
  friend bool operator==(const PassedOver&, const PassedOver&) = default;
};

// What held during a run, clause by clause; travels in every result.
struct EnforcementReport {
  Tier tier = Tier::kContainer;
  std::vector<Enforced> enforced;
  std::vector<NotEnforced> not_enforced;
  std::vector<PassedOver> passed_over;  // strongest first
  friend bool operator==(const EnforcementReport&, const EnforcementReport&) = default;
};

// A complete, validated policy: what PolicyResolver makes of a profile and a request's overrides.
struct Policy {
  std::string name = "default";
  Limits limits;
  NetworkPolicy network;  // closed unless opened by name
  ChecksPolicy checks;    // a look at the text before it runs; no boundary
  // The run has a writable host folder: what it leaves there is bounded by nothing of ours.
  bool writes_host_folder = false;
  // The run sees a host folder, which may hold the socket files of listeners on the host.
  bool shares_host_folder = false;
  // Refuse to run where any clause would be in EnforcementReport::not_enforced.
  bool require_limits = false;
  friend bool operator==(const Policy&, const Policy&) = default;
};

}  // namespace casemate
