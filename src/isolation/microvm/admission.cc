#include "isolation/microvm/admission.h"

#include <fmt/format.h>

#include <algorithm>

#include "confine/clause_answer.h"

namespace casemate::microvm {
namespace {

// What QEMU's own walls hold of it, in their words.
ClauseAnswer AsTheWall(const EnforcementReport& wall, PolicyClause clause) {
  const std::string name(PolicyClauseName(clause));
  if (const auto held = std::ranges::find(wall.enforced, name, &Enforced::guarantee);
      held != wall.enforced.end())
    return Holds(clause, held->mechanism + ", for all of QEMU");
  const auto gap = std::ranges::find(wall.not_enforced, name, &NotEnforced::guarantee);
  if (gap == wall.not_enforced.end())
    return Lacks(clause, "the container tier around QEMU does not tell", "", "run casemate doctor");
  return Lacks(clause, gap->reason, gap->fallback, gap->remedy);
}

ClauseAnswer Network(const Policy& policy) {
  constexpr std::string_view kOutside = "QEMU is in an empty network namespace";
  return Holds(
      PolicyClause::kNetwork,
      policy.network.open()
          ? fmt::format("a machine without a network device, whose loopback leads by the guest's control "
                        "port to the egress proxy and its allowlist; seccomp; {}",
                        kOutside)
          : fmt::format("a machine without a network device, seccomp; {}", kOutside));
}

// No default: a new clause does not compile until it has an answer here.
ClauseAnswer AnswerFor(const EnforcementReport& wall, const std::string& machine, const Policy& policy,
                       PolicyClause clause) {
  switch (clause) {
    case PolicyClause::kWallTime:
      return Holds(clause, "monotonic deadline, SIGKILL to QEMU's pid namespace, from outside");
    case PolicyClause::kCpuTime:
    case PolicyClause::kCpuShare:
    case PolicyClause::kTeardown:
      return AsTheWall(wall, clause);
    case PolicyClause::kMemory:
      return Holds(clause, "cgroup v2 memory limit in the guest, whose own memory is bounded by its machine");
    case PolicyClause::kProcesses:
      return Holds(clause, "cgroup v2 pids.max in the guest");
    case PolicyClause::kDisk:
      return Holds(clause, "size and nr_inodes of the guest's one tmpfs; no other place can be written");
    case PolicyClause::kFileSize:
      return Holds(clause, "RLIMIT_FSIZE");
    case PolicyClause::kOpenFiles:
      return Holds(clause, "RLIMIT_NOFILE");
    case PolicyClause::kOutput:
      return Holds(clause, "counted by the engine at the guest's control port");
    case PolicyClause::kFilesystem:
      return Holds(
          clause, fmt::format("{}: a read-only image of our own and no file of the host, Landlock", machine));
    case PolicyClause::kNetwork:
      return Network(policy);
    case PolicyClause::kPidSpace:
      return Holds(clause, "processes of the guest's own kernel, none of the host's");
    case PolicyClause::kIdentity:
      return Holds(clause, "user id 1000 of the guest's own kernel; QEMU is a user of the container tier");
    case PolicyClause::kPrivileges:
      return Holds(clause, "no capability and no_new_privs in the guest; none for QEMU either");
    case PolicyClause::kSyscalls:
      return Holds(clause,
                   "seccomp allowlist in the guest, whose refusals are not told; another one for QEMU");
  }
  return {};
}

}  // namespace

Expected<EnforcementReport> AdmitGuest(const EnforcementReport& wall, const std::string& machine,
                                       const Policy& policy) {
  return AnswerAll(Tier::kMicrovm, policy,
                   [&](PolicyClause clause) { return AnswerFor(wall, machine, policy, clause); });
}

}  // namespace casemate::microvm
