#include "isolation/oci/admission.h"

#include <fmt/format.h>

#include <utility>

#include "confine/clause_answer.h"
#include "confine/program_plan.h"

namespace casemate::oci {
namespace {

using Answer = ClauseAnswer;

constexpr const char* kGvisorMemoryFallback =
    "a sum sampled every 10 ms of all that gVisor's kernel holds, RLIMIT_DATA 4 GiB above it for each "
    "process";

struct Question {
  const Host& host;
  const Runtime& runtime;
  const Policy& policy;
};

Answer Memory(const Question& ask) {
  std::string knob = "memory limit without swap";
  if (ask.runtime.own_kernel())
    knob += fmt::format(", {} MiB above it for gVisor's own kernel", kSentryBytes / kMiB);
  if (ask.policy.network.open())
    knob += fmt::format(", {} MiB above it for the way to the egress proxy",
                        WayOutBytes(ask.policy.network.limits) / kMiB);
  return ByController(ask.host.cgroups, PolicyClause::kMemory, CgroupController::kMemory, knob,
                      ask.runtime.own_kernel() ? kGvisorMemoryFallback : kMemoryFallback);
}

Answer Processes(const Question& ask) {
  const std::string_view above =
      ask.policy.network.open() ? ", one above it for the way to the egress proxy" : "";
  if (ask.runtime.own_kernel())
    return Holds(PolicyClause::kProcesses, fmt::format("RLIMIT_NPROC in gVisor's own kernel{}", above));
  return ByProcessCount(ask.host.cgroups, above);
}

Answer Disk(const Question& ask) {
  if (!ask.policy.writes_host_folder) {
    return Holds(PolicyClause::kDisk,
                 ask.runtime.own_kernel()
                     ? "one tmpfs with size and nr_inodes; one of that size in gVisor's memory for /dev/shm"
                     : "one tmpfs with size and nr_inodes");
  }
  return Lacks(PolicyClause::kDisk,
               "the program may write to a folder of the host, whose disk has no quota for it",
               ask.policy.limits.file_bytes_max ? "RLIMIT_FSIZE for each file" : "",
               "use the workspace mode `copy` and collect the files");
}

Answer FileSize(const Question& ask) {
  if (ask.policy.writes_host_folder && !ask.policy.limits.file_bytes_max) {
    return Lacks(PolicyClause::kFileSize, "no limit of a file's size is set for the writable host folder", "",
                 "set file_bytes_max");
  }
  return Holds(PolicyClause::kFileSize, "RLIMIT_FSIZE");
}

Answer Filesystem(const Question& ask) {
  if (ask.runtime.own_kernel()) {
    return Holds(PolicyClause::kFilesystem,
                 "gVisor's own file system layer over a read-only root, in a mount namespace");
  }
  return Holds(PolicyClause::kFilesystem, "mount namespace with a private read-only root");
}

Answer Network(const Question& ask) {
  constexpr std::string_view kWayOut = "which leads by two pipes to the egress proxy and its allowlist";
  const bool open = ask.policy.network.open();
  if (ask.runtime.own_kernel()) {
    constexpr std::string_view kFlags = "(--network=none, --host-uds=none)";
    return Holds(PolicyClause::kNetwork,
                 open
                     ? fmt::format("gVisor's own network stack with a loopback alone {}, {}", kFlags, kWayOut)
                     : fmt::format("gVisor's own network stack without an interface {}", kFlags));
  }
  const std::string mechanism =
      open ? fmt::format("network namespace with a loopback alone, {}; seccomp", kWayOut)
           : "empty network namespace, seccomp";
  if (!ask.policy.shares_host_folder) return Holds(PolicyClause::kNetwork, mechanism);
  return Lacks(PolicyClause::kNetwork,
               "a program can connect to a unix socket whose file lies in the shared host folder",
               fmt::format("{}: no other address is reachable", mechanism),
               "use the workspace mode `copy`, or --isolation gvisor");
}

Answer Syscalls(const Question& ask) {
  const std::string name = ask.runtime.Describe();
  if (ask.runtime.own_kernel()) {
    return Holds(PolicyClause::kSyscalls,
                 fmt::format("gVisor's own kernel answers all of them ({}); seccomp allowlist inside", name));
  }
  return Holds(PolicyClause::kSyscalls,
               fmt::format("seccomp allowlist, installed by the container's init ({})", name));
}

// No default: a new clause does not compile until it has an answer here.
Answer AnswerFor(const Question& ask, PolicyClause clause) {
  const CgroupHost& cgroups = ask.host.cgroups;
  switch (clause) {
    case PolicyClause::kWallTime:
      return Holds(clause, "monotonic deadline, SIGKILL to the pid namespace around the runtime");
    case PolicyClause::kCpuTime:
      if (ask.runtime.own_kernel())
        return ByController(cgroups, clause, CgroupController::kCpuacct, "cpu usage",
                            "a sum sampled every 10 ms");
      return ByController(cgroups, clause, CgroupController::kCpuacct, "cpu usage, RLIMIT_CPU",
                          kCpuTimeFallback);
    case PolicyClause::kCpuShare:
      return ByController(cgroups, clause, CgroupController::kCpu, "cpu quota", "");
    case PolicyClause::kMemory:
      return Memory(ask);
    case PolicyClause::kProcesses:
      return Processes(ask);
    case PolicyClause::kDisk:
      return Disk(ask);
    case PolicyClause::kFileSize:
      return FileSize(ask);
    case PolicyClause::kOpenFiles:
      return Holds(clause, "RLIMIT_NOFILE");
    case PolicyClause::kOutput:
      return Holds(clause, "counted by the engine at the pipe");
    case PolicyClause::kFilesystem:
      return Filesystem(ask);
    case PolicyClause::kNetwork:
      return Network(ask);
    case PolicyClause::kPidSpace:
      return Holds(clause, ask.runtime.own_kernel() ? "processes of gVisor's own kernel, none of the host's"
                                                    : "pid namespace, private /proc");
    case PolicyClause::kIdentity:
      return ByIds(IdsFor(ask.host.ids, ask.policy));
    case PolicyClause::kPrivileges:
      return Holds(clause, "empty capability sets and bounding set, no_new_privs, nosuid mounts");
    case PolicyClause::kSyscalls:
      return Syscalls(ask);
    case PolicyClause::kTeardown:
      return Holds(
          clause,
          "a pid and mount namespace around the runtime that dies with its guard, and the guard with the "
          "engine; no file of the run is on a disk");
  }
  return {};
}

}  // namespace

Expected<EnforcementReport> AdmitOn(const Host& host, const Runtime& runtime, const Policy& policy) {
  if (runtime.kind == RuntimeKind::kKata) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("{} is installed, but cannot pass descriptors into its guest, which a run's result "
                    "channel needs; use --isolation gvisor",
                    runtime.Describe()));
  }
  return AnswerAll(TierOf(runtime.kind), policy, [&](PolicyClause clause) {
    return AnswerFor({host, runtime, policy}, clause);
  });
}

}  // namespace casemate::oci
