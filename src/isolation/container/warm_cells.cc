#include "isolation/container/warm_cells.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "confine/cell.h"
#include "confine/file_stream.h"
#include "confine/host_mounts.h"
#include "confine/root_table.h"
#include "confine/workspace_copy.h"
#include "isolation/container/cell_agent.h"
#include "isolation/container/launch_secrets.h"
#include "isolation/container/session_program.h"
#include "model/json_writer.h"
#include "runtime/frame.h"
#include "zygote/cell_message.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kPatienceMs = 5'000;
constexpr std::int64_t kSessionPatienceMs = 30'000;
constexpr std::int64_t kSessionRetryMs = 20;
constexpr std::int64_t kFailedStartsMax = 2;

// Variables that an interpreter and its libraries read once, when they start: a program that has one of its
// own starts cold.
constexpr std::array<std::string_view, 10> kReadAtStart = {
    "LANG",
    "LC_",
    "LANGUAGE",  // the C library's locale, the encoding of stdout
    "LD_",
    "GLIBC_",
    "MALLOC_",  // the loader, malloc
    "OMP_",
    "OPENBLAS_",
    "MKL_",            // numpy's threads
    "PYTHONHASHSEED",  // the order of sets
};

std::string WhyCold(const LaunchSpec& spec, const Host& host) {
  if (!spec.control_channel) return "a command starts a process of its own";
  if (spec.terminal) return "a terminal is made with the sandbox";
  if (!spec.mounts.empty()) return "further mounts need folders in the root";
  if (IdsFor(host.ids, spec.policy).kind != host.ids.kind)
    return "a writable host folder needs the caller's own id";
  if (spec.workspace && spec.workspace->mode != WorkspaceMode::kCopy &&
      host.ids.kind != IdSource::Kind::kDirect) {
    return "a host folder as the workspace needs root";
  }
  const auto read_at_start = [](const std::string& name) {
    return std::ranges::any_of(kReadAtStart,
                               [&name](std::string_view prefix) { return name.starts_with(prefix); });
  };
  for (const auto& variable : spec.env) {
    if (read_at_start(variable.first))
      return "a variable of this request is read when the interpreter starts";
  }
  for (const ResolvedSecret& secret : spec.secrets) {
    if (read_at_start(secret.name)) return "a variable of this request is read when the interpreter starts";
  }
  return {};
}

std::string_view CodeName(const LaunchSpec& spec) {
  for (const RootFile& file : spec.root_files) {
    if (file.path.starts_with("/code/")) return std::string_view(file.path).substr(6);
  }
  return kCellCodeName;
}

std::string LimitsFrame(const LaunchSpec& spec, const Host& host) {
  std::string limits;
  for (const ResourceLimit& limit : ProgramLimits(spec, host)) {
    // Each step has CPU time of its own, which is watched from outside.
    if (!spec.session.empty() && limit.resource == RLIMIT_CPU) continue;
    const CellLimit entry{static_cast<std::uint64_t>(limit.resource), limit.value.rlim_cur,
                          limit.value.rlim_max};
    const auto bytes = std::as_bytes(std::span(&entry, 1));
    limits.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return EncodeFrame(FrameType::kCellLimits, limits);
}

// In which the program differs from others (runtime/python/zygote.py); nothing when it does not. Its
// variables are the zygote's when the request names none.
std::string SettingsFrame(const LaunchSpec& spec) {
  const bool has_own_name = CodeName(spec) != kCellCodeName;
  if (!has_own_name && spec.session.empty() && !spec.policy.network.open() && !spec.workspace &&
      spec.env.empty()) {
    return {};
  }
  JsonWriter settings;
  settings.BeginObject();
  if (has_own_name) settings.Field("code_name", CodeName(spec));
  if (!spec.session.empty()) settings.Field("session", spec.session);
  if (spec.policy.network.open()) settings.Field("connects", true);
  if (!spec.session.empty()) {
    // A branch's files are mounted over these, and Landlock passes over a mount point that is hidden: for
    // sessions it leaves writing to the mounts, of which all others are read-only.
    settings.Key("writable");
    settings.BeginArray();
    settings.String("/");
    settings.EndArray();
  } else if (spec.workspace) {
    settings.Key("writable");
    settings.BeginArray();
    for (const std::string& path : WritablePaths(spec)) settings.String(path);
    settings.EndArray();
  }
  if (!spec.env.empty()) {
    settings.Key("env");
    settings.BeginObject();
    for (const auto& [name, value] : ProgramEnvironment(spec)) settings.Field(name, value);
    settings.EndObject();
  }
  settings.EndObject();
  return EncodeFrame(FrameType::kCellSettings, std::move(settings).Take());
}

// The workspace of the host, ready to be attached.
Expected<void> OpenWorkspace(const LaunchSpec& spec, const Host& host, const IdLease& ids,
                             ConfinementPlan& plan) {
  BindMount bind;
  bind.source = spec.workspace->host_path;
  bind.target = "workspace";
  bind.given = true;
  bind.recursive = true;
  bind.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (spec.workspace->mode == WorkspaceMode::kReadOnly) bind.attributes |= MOUNT_ATTR_RDONLY;
  plan.binds.push_back(std::move(bind));
  return OpenHostMounts(host.ids, ids, plan);
}

// What differs from the cell's own, done from outside.
Expected<void> Adapt(const LaunchSpec& spec, const Host& host, ContainerSandbox::Parts& parts) {
  const Limits& limits = spec.policy.limits;
  const Limits standard;
  CellSlot& slot = *parts.slot;
  const bool same_cgroup = slot.limits && limits.memory_bytes == slot.limits->memory_bytes &&
                           limits.cpus == slot.limits->cpus &&
                           limits.processes_max == slot.limits->processes_max;
  if (!same_cgroup && parts.cgroup) {
    slot.limits.reset();
    if (auto changed = parts.cgroup->ChangeLimits(host.cgroups, limits); !changed) return changed;
    slot.limits = limits;
  }
  parts.limits = limits;
  CellChanges changes;
  if (limits.tmp_bytes != standard.tmp_bytes || limits.tmp_files_max != standard.tmp_files_max) {
    changes.scratch_size = std::to_string(limits.tmp_bytes);
    changes.scratch_inodes = std::to_string(limits.tmp_files_max + kWarmScratchFolders);
  }
  ConfinementPlan plan;
  if (spec.workspace && spec.workspace->mode != WorkspaceMode::kCopy) {
    if (auto opened = OpenWorkspace(spec, host, parts.ids, plan); !opened) return opened;
    changes.binds.push_back(&plan.binds.front());
  }
  changes.expects_files =
      !spec.files.empty() || (spec.workspace && spec.workspace->mode == WorkspaceMode::kCopy);
  changes.secrets = SecretFiles(spec.secrets);
  if (spec.policy.network.open()) changes.egress_port = kEgressPort;
  if (changes.scratch_size.empty() && changes.binds.empty() && changes.secrets.empty() &&
      !changes.expects_files && changes.egress_port == 0)
    return {};
  auto changed = ChangeCell(parts.pidfd.get(), parts.workspace.get(), parts.change_ids, changes,
                            [&spec](int socket) { return SendGivenFiles(spec, socket); });
  if (!changed) return std::unexpected(changed.error());
  if (!plan.binds.empty()) {
    parts.workspace.reset(openat(plan.binds.front().tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  parts.egress = *std::move(changed);
  if (parts.egress.valid()) parts.listener->LetLoopbackThrough();
  return {};
}

// What a pool's zygote has read of the host: when any of it changes, so does this.
std::string StampOf(const EnvironmentView& environment) {
  std::string stamp = environment.python_version;
  std::vector<std::string> paths = environment.sys_path;
  paths.push_back(environment.python);
  for (const std::string& path : paths) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) continue;
    stamp += fmt::format("|{}:{}:{}.{}", info.st_dev, info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return stamp;
}

std::string KeyOf(const EnvironmentView& environment) { return environment.name + "\n" + environment.python; }

}  // namespace

void WarmCells::Prepare(const EnvironmentView& environment, const std::vector<RootFile>& root_files) {
  ZygoteHost::Options options;
  options.host = host_;
  options.environment = environment;
  options.root_files = root_files;
  // The zygote's own file is what the interpreter starts with.
  std::ranges::rotate(options.root_files, std::ranges::find_if(options.root_files, [](const RootFile& file) {
                        return file.path.contains("/zygote.");
                      }));
  options.preload = options_.preload;
  for (const std::string& module : environment.preload) {
    if (std::ranges::find(options.preload, module) == options.preload.end())
      options.preload.push_back(module);
  }
  options.cells_max = options_.cells_max;
  options.idle_expiry_ms = options_.idle_expiry_ms;
  std::string stamp = StampOf(environment);
  const std::lock_guard lock(mutex_);
  Pool& pool = pools_[KeyOf(environment)];
  std::erase_if(retired_, [](const std::shared_ptr<ZygoteHost>& host) { return host->Retire(); });
  if (pool.host && pool.stamp == stamp && !pool.host->IsStale()) return;
  // Its files have changed under it.
  if (pool.host && !pool.host->Retire()) retired_.push_back(std::move(pool.host));
  pool.host = std::make_shared<ZygoteHost>(std::move(options));
  pool.stamp = std::move(stamp);
}

void WarmCells::CountCold(const LaunchSpec& spec, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto found = pools_.find(KeyOf(spec.environment));
  if (found != pools_.end()) ++found->second.cold[why];
}

std::shared_ptr<ZygoteHost> WarmCells::PoolOf(const LaunchSpec& spec) {
  const std::lock_guard lock(mutex_);
  const auto found = pools_.find(KeyOf(spec.environment));
  return found != pools_.end() ? found->second.host : nullptr;
}

// A session has no other way than a warm cell: it waits for the zygote, also for the one that comes after one
// that has ended. Only starts that fail one after the other are not waited for.
Expected<ZygoteHost::Taken> WarmCells::TakeForSession(const LaunchSpec& spec) {
  const Deadline deadline = Deadline::After(kSessionPatienceMs);
  for (;;) {
    const std::shared_ptr<ZygoteHost> pool = PoolOf(spec);
    auto taken = pool->Take(kPatienceMs, true);
    if (taken || deadline.Passed()) return taken;
    if (const ZygoteHost::Status status = pool->status(); status.failed_starts >= kFailedStartsMax)
      return Fail(ErrorCode::kUnavailable, "a session needs a warm cell, and none can be made", status.error);
    std::this_thread::sleep_for(std::chrono::milliseconds(kSessionRetryMs));
  }
}

Expected<std::unique_ptr<Sandbox>> WarmCells::Launch(const LaunchSpec& spec) {
  const std::int64_t begin_us = MonotonicUs();
  const std::shared_ptr<ZygoteHost> pool = PoolOf(spec);
  if (!pool) return nullptr;
  if (const std::string why = WhyCold(spec, host_); !why.empty()) {
    if (!spec.session.empty()) {
      return Fail(ErrorCode::kUnavailable, fmt::format("a session needs a warm cell: {}", why));
    }
    CountCold(spec, why);
    return nullptr;
  }
  auto taken = spec.session.empty() ? pool->Take(kPatienceMs) : TakeForSession(spec);
  if (!taken && !spec.session.empty()) return std::unexpected(taken.error());
  if (!taken) {
    CountCold(spec, taken.error().message);
    return nullptr;
  }
  const std::int64_t taken_us = MonotonicUs();
  std::unique_ptr<ContainerSandbox>& cell = taken->sandbox;
  ContainerSandbox::Parts& parts = cell->parts();
  if (auto adapted = Adapt(spec, host_, parts); !adapted) return std::unexpected(adapted.error());
  if (auto sent = SendSecretVariables(cell->ChannelFd(Channel::kRequest), spec.secrets); !sent)
    return std::unexpected(sent.error());
  if (!spec.stdin_pipe) cell->CloseChannel(Channel::kStdin);
  cell->set_request_prefix(LimitsFrame(spec, host_) + SettingsFrame(spec));
  if (!spec.session.empty()) {
    auto program = OpenProgram(parts.pidfd.get());
    if (!program) return std::unexpected(program.error());
    parts.program = *std::move(program);
    // It has entered, and may be here for days.
    parts.slot->entrances.clear();
  }
  cell->set_undisturbed(taken->undisturbed);
  parts.started_at_us = MonotonicUs();
  const char* const step = taken->forked_on_demand ? "fork_on_demand" : "take_cell";
  parts.timings.insert(parts.timings.begin(), {Timing{step, taken_us - begin_us},
                                               Timing{"adapt_cell", parts.started_at_us - taken_us}});
  return std::unique_ptr<Sandbox>(std::move(cell));
}

std::vector<PoolStatus> WarmCells::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<PoolStatus> all;
  for (const auto& [key, pool] : pools_) {
    const ZygoteHost::Status status = pool.host->status();
    all.push_back({key.substr(0, key.find('\n')), status.modules, status.waiting, status.running,
                   options_.cells_max, status.taken, status.forked_on_demand, pool.cold, status.error});
  }
  return all;
}

}  // namespace casemate::container
