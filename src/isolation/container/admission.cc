#include "isolation/container/admission.h"

#include <fmt/format.h>

#include "confine/clause_answer.h"

namespace casemate::container {
namespace {

using Answer = ClauseAnswer;

Answer Disk(const Policy& policy) {
  if (!policy.writes_host_folder) return Holds(PolicyClause::kDisk, "one tmpfs with size and nr_inodes");
  return NotEnforced{std::string(PolicyClauseName(PolicyClause::kDisk)),
                     "the program may write to a folder of the host, whose disk has no quota for it",
                     policy.limits.file_bytes_max ? "RLIMIT_FSIZE for each file" : "",
                     "use the workspace mode `copy` and collect the files"};
}

// unix(7): connecting needs write permission on the socket's file, and the program has its owner's; a
// read-only mount does not stop it.
Answer Network(const Policy& policy) {
  const char* const base =
      policy.network.open() ? "network namespace with a loopback alone, from which one socket leads to the "
                              "egress proxy and its allowlist; seccomp"
                            : "empty network namespace, seccomp";
  if (!policy.shares_host_folder) return Holds(PolicyClause::kNetwork, base);
  return NotEnforced{std::string(PolicyClauseName(PolicyClause::kNetwork)),
                     "a program can connect to a unix socket whose file lies in the shared host folder",
                     fmt::format("{}: no other address is reachable", base),
                     "use the workspace mode `copy`, or share folders without sockets"};
}

Answer FileSize(const Policy& policy) {
  if (policy.writes_host_folder && !policy.limits.file_bytes_max) {
    return NotEnforced{std::string(PolicyClauseName(PolicyClause::kFileSize)),
                       "no limit of a file's size is set for the writable host folder", "",
                       "set file_bytes_max"};
  }
  return Holds(PolicyClause::kFileSize, "RLIMIT_FSIZE");
}

std::string FilesystemMechanism(const Host& host) {
  const std::string base = "mount namespace with a private read-only root (pivot_root)";
  return host.landlock_abi > 0 ? fmt::format("{}, Landlock ABI {}", base, host.landlock_abi) : base;
}

// No default: a new clause does not compile until it has an answer here.
Answer AnswerFor(const Host& host, const Policy& policy, PolicyClause clause) {
  switch (clause) {
    case PolicyClause::kWallTime:
      return Holds(clause, "monotonic deadline, SIGKILL to the pid namespace's init");
    case PolicyClause::kCpuTime:
      return ByController(host.cgroups, clause, CgroupController::kCpuacct, "cpu usage, RLIMIT_CPU",
                          kCpuTimeFallback);
    case PolicyClause::kCpuShare:
      return ByController(host.cgroups, clause, CgroupController::kCpu, "cpu quota", "");
    case PolicyClause::kMemory:
      return ByController(host.cgroups, clause, CgroupController::kMemory, "memory limit without swap",
                          kMemoryFallback);
    case PolicyClause::kProcesses:
      return ByProcessCount(host.cgroups);
    case PolicyClause::kDisk:
      return Disk(policy);
    case PolicyClause::kFileSize:
      return FileSize(policy);
    case PolicyClause::kOpenFiles:
      return Holds(clause, "RLIMIT_NOFILE");
    case PolicyClause::kOutput:
      return Holds(clause, "counted by the engine at the pipe");
    case PolicyClause::kFilesystem:
      return Holds(clause, FilesystemMechanism(host));
    case PolicyClause::kNetwork:
      return Network(policy);
    case PolicyClause::kPidSpace:
      return Holds(clause, "pid namespace, private /proc");
    case PolicyClause::kIdentity:
      return ByIds(IdsFor(host.ids, policy));
    case PolicyClause::kPrivileges:
      return Holds(clause, "empty capability sets and bounding set, no_new_privs, nosuid mounts");
    case PolicyClause::kSyscalls:
      return Holds(clause, "seccomp allowlist with user notification");
    case PolicyClause::kTeardown:
      return Holds(clause, "pid namespace that dies with its init, and init with the engine");
  }
  return {};
}

}  // namespace

Expected<EnforcementReport> AdmitOn(const Host& host, const Policy& policy) {
  return AnswerAll(Tier::kContainer, policy,
                   [&](PolicyClause clause) { return AnswerFor(host, policy, clause); });
}

}  // namespace casemate::container
