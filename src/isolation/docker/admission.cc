#include "isolation/docker/admission.h"

#include <fmt/format.h>

#include "confine/clause_answer.h"

namespace casemate::docker {
namespace {

constexpr const char* kContainer = "use --isolation container";

ClauseAnswer ByCgroup(const EngineFacts& engine, PolicyClause clause, bool has, std::string_view knob) {
  if (has)
    return Holds(clause, fmt::format("cgroup v{} {} by the Docker Engine", engine.cgroup_version, knob));
  return Lacks(
      clause, fmt::format("the Docker Engine's host has no {}", knob), "",
      "enable the controller on that host (docker info has the warning), or use --isolation container");
}

ClauseAnswer CpuTime(const EngineFacts& engine) {
  if (engine.local)
    return Holds(PolicyClause::kCpuTime,
                 fmt::format("cgroup v{} cpu usage, RLIMIT_CPU", engine.cgroup_version));
  return Lacks(PolicyClause::kCpuTime,
               "the counters of a host elsewhere are told too slowly to end a run by them",
               "RLIMIT_CPU for each process, and the share of CPU until the deadline",
               "use a Docker Engine on this host");
}

ClauseAnswer Disk(const Policy& policy) {
  return Lacks(PolicyClause::kDisk,
               policy.writes_host_folder
                   ? "the program may write to a folder of the host, which has no quota for it"
                   : "Docker gives /tmp, /workspace and /dev/shm a tmpfs each, so that each "
                     "may take the whole limit",
               "size and nr_inodes of each tmpfs; all of them count as memory", kContainer);
}

ClauseAnswer FileSize(const Policy& policy) {
  if (policy.writes_host_folder && !policy.limits.file_bytes_max) {
    return Lacks(PolicyClause::kFileSize, "no limit of a file's size is set for the writable host folder", "",
                 "set file_bytes_max");
  }
  return Holds(PolicyClause::kFileSize, "RLIMIT_FSIZE");
}

// unix(7): connecting needs write permission on the socket's file; a read-only mount does not stop it.
ClauseAnswer Network(const Policy& policy) {
  const std::string_view mechanism =
      policy.network.open()
          ? "network namespace with a loopback alone, which leads by the attached stream to the "
            "egress proxy and its allowlist; seccomp"
          : "empty network namespace, seccomp";
  if (!policy.shares_host_folder) return Holds(PolicyClause::kNetwork, std::string(mechanism));
  return Lacks(PolicyClause::kNetwork,
               "a program can connect to a unix socket whose file lies in the shared host folder",
               fmt::format("{}: no other address is reachable", mechanism),
               "use the workspace mode `copy`, or share folders without sockets");
}

ClauseAnswer Identity(const EngineFacts& engine) {
  if (engine.maps_users)
    return Holds(PolicyClause::kIdentity, "user namespace of the Docker Engine, user id 1000");
  return Lacks(PolicyClause::kIdentity,
               "the program's user id 1000 is the same number on the Docker Engine's host",
               "a container without capabilities and with a root of its own",
               "set \"userns-remap\": \"default\" in /etc/docker/daemon.json, or use --isolation container");
}

ClauseAnswer Syscalls(const EngineFacts& engine) {
  if (!engine.runtime.empty() && engine.runtime != "runc" && engine.runtime != "crun") {
    return Lacks(PolicyClause::kSyscalls,
                 fmt::format("the runtime {} serves system calls by a kernel of its own and takes no list",
                             engine.runtime),
                 "the host's kernel sees that one's own calls alone", "leave CASEMATE_DOCKER_RUNTIME unset");
  }
  if (engine.filters_calls)
    return Holds(PolicyClause::kSyscalls,
                 "seccomp allowlist given to the Docker Engine; refusals are not told");
  return Lacks(PolicyClause::kSyscalls, "the Docker Engine's host has no seccomp", "", kContainer);
}

// No default: a new clause does not compile until it has an answer here.
ClauseAnswer AnswerFor(const EngineFacts& engine, const Policy& policy, PolicyClause clause) {
  switch (clause) {
    case PolicyClause::kWallTime:
      return Holds(clause, engine.local
                               ? "monotonic deadline, SIGKILL to the container's first process, from outside"
                               : "monotonic deadline, SIGKILL by the Docker Engine");
    case PolicyClause::kCpuTime:
      return CpuTime(engine);
    case PolicyClause::kCpuShare:
      return ByCgroup(engine, clause, engine.limits_cpus, "cpu quota");
    case PolicyClause::kMemory:
      return ByCgroup(engine, clause, engine.limits_memory, "memory limit without swap");
    case PolicyClause::kProcesses:
      return ByCgroup(engine, clause, engine.limits_processes, "pids.max");
    case PolicyClause::kDisk:
      return Disk(policy);
    case PolicyClause::kFileSize:
      return FileSize(policy);
    case PolicyClause::kOpenFiles:
      return Holds(clause, "RLIMIT_NOFILE");
    case PolicyClause::kOutput:
      return Holds(clause, "counted by the engine at the attached stream");
    case PolicyClause::kFilesystem:
      return Holds(clause,
                   "mount namespace with a read-only image of our own, Landlock where the kernel has it");
    case PolicyClause::kNetwork:
      return Network(policy);
    case PolicyClause::kPidSpace:
      return Holds(clause, "pid namespace, own /proc with masked paths");
    case PolicyClause::kIdentity:
      return Identity(engine);
    case PolicyClause::kPrivileges:
      return Holds(clause, "--cap-drop ALL, no-new-privileges, nosuid mounts");
    case PolicyClause::kSyscalls:
      return Syscalls(engine);
    case PolicyClause::kTeardown:
      return Holds(
          clause,
          "the container ends with its attached stream, which ends with the engine, and is removed then");
  }
  return {};
}

}  // namespace

Expected<EnforcementReport> AdmitOn(const EngineFacts& engine, const Policy& policy) {
  return AnswerAll(Tier::kDocker, policy,
                   [&](PolicyClause clause) { return AnswerFor(engine, policy, clause); });
}

}  // namespace casemate::docker
