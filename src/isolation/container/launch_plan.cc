#include "isolation/container/launch_plan.h"

#include <sys/resource.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "confine/root_table.h"
#include "confine/seccomp_filter.h"
#include "isolation/container/launch_secrets.h"

namespace casemate::container {
namespace {

// Raised so that a host short of memory takes the sandbox before its own services.
constexpr int kOomScoreAdj = 500;

}  // namespace

std::vector<std::string> WritablePaths(const LaunchSpec& spec) {
  std::vector<std::string> paths = {"/tmp", "/dev/shm"};
  if (!spec.workspace || spec.workspace->mode != WorkspaceMode::kReadOnly) paths.emplace_back(kWorkspace);
  for (const HostMount& mount : spec.mounts) {
    if (mount.writable) paths.push_back(mount.inside_path);
  }
  return paths;
}

std::vector<ResourceLimit> ProgramLimits(const LaunchSpec& spec, const Host& host) {
  const Limits& limits = spec.policy.limits;
  std::vector<ResourceLimit> all = EachProcessLimits(spec.policy);
  const auto set = [&all](int resource, std::int64_t value) {
    all.push_back({resource, {static_cast<rlim_t>(value), static_cast<rlim_t>(value)}});
  };
  if (host.cgroups.place(CgroupController::kPids).version == 0) {
    // It counts by user id, so that an init with an id of its own is not among them.
    const bool alone = IdsFor(host.ids, spec.policy).kind != IdSource::Kind::kSingle;
    const std::int64_t processes = std::max<std::int64_t>(limits.processes_max - (alone ? 1 : 0), 1);
    set(RLIMIT_NPROC, processes);
  }
  if (host.cgroups.place(CgroupController::kMemory).version == 0) all.push_back(PrivateMemoryLimit(limits));
  return all;
}

Expected<std::unique_ptr<ConfinementPlan>> MakePlan(const LaunchSpec& spec, const Host& host,
                                                    const IdSource& ids) {
  auto plan = std::make_unique<ConfinementPlan>();
  const bool single = ids.kind == IdSource::Kind::kSingle;
  plan->ids = {0, kProgramId, !single, !single};
  if (auto done = PlanRoot(spec, *plan); !done) return std::unexpected(done.error());
  const bool own_workspace = !spec.workspace || spec.workspace->mode == WorkspaceMode::kCopy;
  plan->scratch = PlanScratch(spec.policy.limits, own_workspace, false);
  plan->landlock.writable = WritablePaths(spec);
  plan->resource_limits = CommonLimits();
  std::ranges::move(ProgramLimits(spec, host), std::back_inserter(plan->resource_limits));
  plan->landlock.abi = host.landlock_abi;
  plan->proc_options = kProcOptions;
  plan->host_name = kSandboxHostName;
  if (spec.policy.network.open()) {
    plan->egress_port = kEgressPort;
    plan->landlock.connects = true;
  }
  plan->terminal = spec.terminal.has_value();
  plan->working_dir = spec.working_dir;
  plan->expects_files =
      !spec.files.empty() || (spec.workspace && spec.workspace->mode == WorkspaceMode::kCopy);
  plan->oom_score_adj = kOomScoreAdj;
  plan->seccomp = ContainerSeccompFilter();
  const auto env = ProgramEnvironment(spec);
  plan->exec_candidates = ExecCandidates(spec.argv.front(), env.at("PATH"), spec.working_dir);
  plan->argv = spec.argv;
  plan->secret_files = SecretFiles(spec.secrets);
  for (const auto& [name, value] : env) plan->env.push_back(name + "=" + value);
  return plan;
}

}  // namespace casemate::container
