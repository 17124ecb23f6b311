#include "isolation/process/launch_plan.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/file.h"
#include "confine/host_files.h"
#include "confine/program_plan.h"
#include "confine/seccomp_filter.h"

namespace casemate::process {
namespace {

using Access = LandlockPlan::Grant::Access;

// Raised so that a host short of memory takes the sandbox before its own services.
constexpr int kOomScoreAdj = 500;
// Of address space above the limit of private memory: libraries, and what is shared with the page cache.
constexpr std::int64_t kMappedBytes = kGiB;

// The paths that a private root has at its top.
constexpr std::string_view kWorkspace = "/workspace";

// A file of ours (the harness) among the words of the command.
std::string InsideRoot(const LaunchSpec& spec, const std::string& root, const std::string& path) {
  const bool ours =
      std::ranges::any_of(spec.root_files, [&path](const RootFile& file) { return file.path == path; });
  return ours ? root + path : path;
}

// Whether any user may pass through all folders above `path` and read it.
bool IsOpenToAll(const std::string& path) {
  struct stat info {};
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (stat(path.substr(0, slash).c_str(), &info) != 0 || (info.st_mode & S_IXOTH) == 0) return false;
  }
  return stat(path.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0;
}

Expected<void> CheckInterpreter(const LaunchSpec& spec, const Host& host) {
  const std::string& python = spec.environment.python;
  if (!host.own_ids() || python.empty() || spec.argv.front() != python || IsOpenToAll(python)) return {};
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the program's own user id cannot reach {}, which lies in a folder that is closed to other "
                  "users; name another interpreter (--python /usr/bin/python3), or use --isolation container",
                  python));
}

// What the program's user id could not open anyway is left out: a grant is made with its rights.
void GrantIfThere(const std::string& path, Access rights, const Host& host, LandlockPlan& landlock) {
  if (host.own_ids() ? IsOpenToAll(path) : ::access(path.c_str(), R_OK) == 0)
    landlock.grants.push_back({path, rights});
}

Expected<void> GrantMounts(const LaunchSpec& spec, LandlockPlan& landlock) {
  for (const HostMount& mount : spec.mounts) {
    if (mount.inside_path != mount.host_path) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("the process tier cannot show {} at {}: it has no mounts of its own; give it at its "
                      "own path (-v {}:{}:ro), or use --isolation container",
                      mount.host_path, mount.inside_path, mount.host_path, mount.host_path));
    }
    if (!FileExists(mount.host_path)) {
      return Fail(ErrorCode::kNotFound, fmt::format("{} is not there to be given", mount.host_path));
    }
    if (mount.writable) {
      landlock.writable.push_back(mount.host_path);
    } else {
      landlock.grants.push_back({mount.host_path, Access::kReadAndExecute});
    }
  }
  return {};
}

Expected<LandlockPlan> PlanLandlock(const LaunchSpec& spec, const Host& host, const std::string& root) {
  LandlockPlan landlock;
  landlock.abi = host.landlock_abi;
  for (const std::string& path : spec.environment.read_only_paths)
    GrantIfThere(path, Access::kReadAndExecute, host, landlock);
  for (const char* name : kHostFiles) GrantIfThere(std::string("/") + name, Access::kRead, host, landlock);
  for (const char* path : kBoundFolders) GrantIfThere(path, Access::kRead, host, landlock);
  for (const char* path : kDevices) GrantIfThere(path, Access::kDevice, host, landlock);
  // As the program opens it: its own entry, and nobody else's.
  for (const char* name : kOwnProcFiles)
    landlock.grants.push_back({std::string("/proc/self/") + name, Access::kRead});
  landlock.grants.push_back({root + "/casemate", Access::kRead});
  landlock.grants.push_back({root + "/code", Access::kRead});
  landlock.grants.push_back({root + "/tmp", Access::kWrite});
  if (spec.workspace && spec.workspace->mode == WorkspaceMode::kReadOnly) {
    landlock.grants.push_back({spec.workspace->host_path, Access::kReadAndExecute});
  } else {
    landlock.writable.push_back(WorkspaceOf(spec, root));
  }
  if (auto done = GrantMounts(spec, landlock); !done) return std::unexpected(done.error());
  return landlock;
}

std::vector<ResourceLimit> PlanLimits(const LaunchSpec& spec, const Host& host) {
  std::vector<ResourceLimit> all = CommonLimits();
  std::ranges::move(EachProcessLimits(spec.policy), std::back_inserter(all));
  const Limits& limits = spec.policy.limits;
  const auto set = [&all](int resource, std::int64_t value) {
    all.push_back({resource, {static_cast<rlim_t>(value), static_cast<rlim_t>(value)}});
  };
  if (host.cgroups.place(CgroupController::kMemory).version == 0) {
    all.push_back(PrivateMemoryLimit(limits));
    set(RLIMIT_AS, limits.memory_bytes + kUntouchedBytes + kMappedBytes);
  }
  if (host.cgroups.place(CgroupController::kPids).version == 0 && host.own_ids()) {
    // The keeper's real id is another.
    set(RLIMIT_NPROC, std::max<std::int64_t>(limits.processes_max - 1, 1));
  }
  // The caller's own hard limit cannot be raised, and is the smaller promise.
  for (ResourceLimit& limit : all) {
    rlimit own{};
    getrlimit(static_cast<__rlimit_resource>(limit.resource), &own);
    limit.value.rlim_cur = std::min(limit.value.rlim_cur, own.rlim_max);
    limit.value.rlim_max = std::min(limit.value.rlim_max, own.rlim_max);
  }
  return all;
}

std::map<std::string, std::string> PlanVariables(const LaunchSpec& spec, const std::string& root) {
  std::map<std::string, std::string> env{{"PATH", SearchPath(spec.environment)},
                                         {"HOME", root + "/tmp"},
                                         {"LANG", "C.UTF-8"},
                                         {"TMPDIR", root + "/tmp"}};
  for (const auto& [name, value] : spec.env) env[name] = value;
  return env;
}

}  // namespace

std::string WorkspaceOf(const LaunchSpec& spec, const std::string& root) {
  const bool own = !spec.workspace || spec.workspace->mode == WorkspaceMode::kCopy;
  return own ? root + std::string(kWorkspace) : spec.workspace->host_path;
}

Expected<std::unique_ptr<KeeperPlan>> MakePlan(const LaunchSpec& spec, const Host& host,
                                               const std::string& root) {
  if (auto reachable = CheckInterpreter(spec, host); !reachable) return std::unexpected(reachable.error());
  auto plan = std::make_unique<KeeperPlan>();
  ConfinementPlan& program = plan->program;
  program.ids.change_ids = host.own_ids();
  program.ids.clear_groups = false;  // by the keeper
  program.ids.program_uid = geteuid();
  program.ids.program_gid = getegid();
  program.ids.keeps_bounding_set = !host.may_empty_bounding_set;
  program.ids.dies_with_parent = true;
  auto landlock = PlanLandlock(spec, host, root);
  if (!landlock) return std::unexpected(landlock.error());
  program.landlock = *std::move(landlock);
  program.resource_limits = PlanLimits(spec, host);
  const bool counted = host.cgroups.place(CgroupController::kPids).version != 0 || host.own_ids();
  plan->more_processes = counted ? 0 : std::max<std::int64_t>(spec.policy.limits.processes_max - 1, 1);
  program.working_dir = spec.working_dir == kWorkspace ? WorkspaceOf(spec, root) : spec.working_dir;
  program.expects_files =
      !spec.files.empty() || (spec.workspace && spec.workspace->mode == WorkspaceMode::kCopy);
  program.oom_score_adj = kOomScoreAdj;
  program.seccomp = ProcessSeccompTables().program;
  const auto env = PlanVariables(spec, root);
  for (const std::string& word : spec.argv) program.argv.push_back(InsideRoot(spec, root, word));
  program.exec_candidates = ExecCandidates(program.argv.front(), env.at("PATH"), program.working_dir);
  for (const auto& [name, value] : env) program.env.push_back(name + "=" + value);
  return plan;
}

}  // namespace casemate::process
