#include "isolation/process/admission.h"

#include <fmt/format.h>

#include "confine/clause_answer.h"

namespace casemate::process {
namespace {

constexpr const char* kStronger = "use --isolation container";

// What ends the tree is out of the program's reach, or it may be stopped before it does.
ClauseAnswer ByKeeper(const Host& host, PolicyClause clause, std::string mechanism) {
  if (host.out_of_reach()) return Holds(clause, std::move(mechanism));
  return Lacks(clause,
               fmt::format("the program has the caller's user id, and Landlock ABI {} does not keep it from "
                           "signalling what ends it",
                           host.landlock_abi),
               std::move(mechanism), "use Linux 6.12 or newer, run as root, or use --isolation container");
}

ClauseAnswer Processes(const Host& host) {
  const CgroupPlace& place = host.cgroups.place(CgroupController::kPids);
  if (place.version != 0)
    return Holds(PolicyClause::kProcesses, fmt::format("cgroup v{} pids.max", place.version));
  if (host.own_ids()) return Holds(PolicyClause::kProcesses, "RLIMIT_NPROC of a user id of its own");
  return Lacks(PolicyClause::kProcesses, "RLIMIT_NPROC counts all processes of the caller's user id",
               "RLIMIT_NPROC above those that there were at the start, and a count sampled every 10 ms",
               place.remedy);
}

ClauseAnswer Disk(const Policy& policy) {
  return Lacks(
      PolicyClause::kDisk,
      policy.writes_host_folder ? "the program may write to a folder of the host, which has no quota for it"
                                : "the run's folders lie on the host's disk, which has no quota for them",
      "RLIMIT_FSIZE for each file, and a sum of the run's own folders sampled every 100 ms, then SIGKILL",
      kStronger);
}

ClauseAnswer FileSize(const Policy& policy) {
  if (policy.writes_host_folder && !policy.limits.file_bytes_max) {
    return Lacks(PolicyClause::kFileSize, "no limit of a file's size is set for the writable host folder", "",
                 "set file_bytes_max");
  }
  return Holds(PolicyClause::kFileSize, "RLIMIT_FSIZE");
}

ClauseAnswer Filesystem(const Host& host) {
  return Lacks(
      PolicyClause::kFilesystem,
      "there is no mount namespace, and Landlock does not cover metadata: a program can ask whether a path "
      "of the host exists, and for its size, times and owner",
      fmt::format("Landlock ABI {}: contents are read, written, listed and executed only where they were "
                  "given; seccomp refuses changes of modes, owners and attributes",
                  host.landlock_abi),
      kStronger);
}

ClauseAnswer PidSpace(const Host& host) {
  const std::string held = host.landlock_abi >= 6 ? "Landlock keeps signals and tracing within the run"
                           : host.own_ids() ? "a user id of its own, Landlock, seccomp: no foreign process "
                                              "can be signalled or traced"
                                            : "Landlock and seccomp: no foreign process can be traced";
  return Lacks(PolicyClause::kPidSpace,
               host.out_of_reach()
                   ? "there is no pid namespace: a program can ask whether a process id of the host is in use"
                   : "there is no pid namespace: a program can signal the caller's other processes",
               held + "; /proc is closed but for the program's own entry", kStronger);
}

// No default: a new clause does not compile until it has an answer here.
ClauseAnswer AnswerFor(const Host& host, const Policy& policy, PolicyClause clause) {
  switch (clause) {
    case PolicyClause::kWallTime:
      return ByKeeper(host, clause,
                      "monotonic deadline, SIGKILL to the whole tree by its keeper (subreaper)");
    case PolicyClause::kCpuTime:
      return ByController(host.cgroups, clause, CgroupController::kCpuacct, "cpu usage, RLIMIT_CPU",
                          "RLIMIT_CPU for each process, and a sum sampled every 10 ms");
    case PolicyClause::kCpuShare:
      return ByController(host.cgroups, clause, CgroupController::kCpu, "cpu quota", "");
    case PolicyClause::kMemory:
      return ByController(host.cgroups, clause, CgroupController::kMemory, "memory limit without swap",
                          "a sum sampled every 10 ms that leaves out memfds, RLIMIT_DATA and RLIMIT_AS 4 and "
                          "5 GiB above it for each process");
    case PolicyClause::kProcesses:
      return Processes(host);
    case PolicyClause::kDisk:
      return Disk(policy);
    case PolicyClause::kFileSize:
      return FileSize(policy);
    case PolicyClause::kOpenFiles:
      return Holds(clause, "RLIMIT_NOFILE");
    case PolicyClause::kOutput:
      return Holds(clause, "counted by the engine at the pipe");
    case PolicyClause::kFilesystem:
      return Filesystem(host);
    case PolicyClause::kNetwork:
      return Holds(clause, host.landlock_abi >= 4
                               ? "seccomp: no socket can be made, bound or connected; Landlock: no TCP"
                               : "seccomp: no socket can be made, bound or connected");
    case PolicyClause::kPidSpace:
      return PidSpace(host);
    case PolicyClause::kIdentity:
      if (host.own_ids()) return Holds(clause, "host ids leased to this run alone");
      return Lacks(clause, host.ids.why_not, "", host.ids.remedy);
    case PolicyClause::kPrivileges:
      return Holds(clause, "empty capability sets, no_new_privs");
    case PolicyClause::kSyscalls:
      return Holds(clause, "seccomp allowlist with user notification");
    case PolicyClause::kTeardown:
      return ByKeeper(
          host, clause,
          "a keeper that adopts orphans (subreaper) and ends the tree with the program and with the "
          "engine; the run's folder is removed after");
  }
  return {};
}

}  // namespace

Expected<EnforcementReport> AdmitOn(const Host& host, const Policy& policy) {
  if (host.landlock_abi < 1) {
    return Fail(
        ErrorCode::kUnavailable,
        "the process tier needs Landlock, which this kernel does not have or has not enabled: without it the "
        "program could read and write all that you can; boot with lsm=landlock,… (Linux 5.13 or newer), or "
        "use --isolation container");
  }
  return AnswerAll(Tier::kProcess, policy,
                   [&](PolicyClause clause) { return AnswerFor(host, policy, clause); });
}

}  // namespace casemate::process
