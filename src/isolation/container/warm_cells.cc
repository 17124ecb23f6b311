#include "isolation/container/warm_cells.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/clock.h"
#include "confine/file_stream.h"
#include "isolation/container/cell_agent.h"
#include "isolation/container/host_mounts.h"
#include "isolation/container/root_table.h"
#include "isolation/container/workspace_copy.h"
#include "model/json_escape.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kPatienceMs = 30'000;

// Variables that an interpreter and its libraries read once, when they start: a program that has one of its
// own starts cold.
constexpr std::array<std::string_view, 9> kReadAtStart = {
    "LANG", "LC_",       "LANGUAGE",  // the C library's locale, the encoding of stdout
    "LD_",  "GLIBC_",    "MALLOC_",   // the loader, malloc
    "OMP_", "OPENBLAS_", "MKL_",      // numpy's threads
};

std::string WhyCold(const LaunchSpec& spec, const Host& host) {
  if (!spec.control_channel) return "a command starts a process of its own";
  if (!spec.mounts.empty()) return "further mounts need folders in the root";
  if (IdsFor(host, spec.policy).kind != host.ids.kind)
    return "a writable host folder needs the caller's own id";
  if (spec.workspace && spec.workspace->mode != WorkspaceMode::kCopy &&
      host.ids.kind != IdSource::Kind::kDirect) {
    return "a host folder as the workspace needs root";
  }
  for (const auto& [name, value] : spec.env) {
    if (std::ranges::any_of(kReadAtStart,
                            [&name](std::string_view prefix) { return name.starts_with(prefix); })) {
      return fmt::format("the variable {} is read when the interpreter starts", name);
    }
  }
  return {};
}

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(quoted, text);
  return quoted;
}

std::string_view CodeName(const LaunchSpec& spec) {
  for (const RootFile& file : spec.root_files) {
    if (file.path.starts_with("/code/")) return std::string_view(file.path).substr(6);
  }
  return "main.py";
}

// Items of a JSON list or object.
template <typename Items, typename Text>
std::string Join(const Items& items, const Text& text) {
  std::string joined;
  for (const auto& item : items) {
    if (!joined.empty()) joined += ',';
    joined += text(item);
  }
  return joined;
}

// The cell's own settings, as JSON in a frame of its own (runtime/python/zygote.py). Its variables are the
// zygote's when the request names none.
std::string Settings(const LaunchSpec& spec, const Host& host) {
  std::vector<ResourceLimit> own = ResourceLimits(spec, host);
  std::erase_if(own, [](const ResourceLimit& limit) {
    return limit.resource == RLIMIT_CORE || limit.resource == RLIMIT_NICE || limit.resource == RLIMIT_RTPRIO;
  });
  const std::string limits = Join(own, [](const ResourceLimit& limit) {
    return fmt::format("[{},{},{}]", static_cast<int>(limit.resource), limit.value.rlim_cur,
                       limit.value.rlim_max);
  });
  std::string text = fmt::format(R"({{"limits":[{}],"code_name":{})", limits, Quoted(CodeName(spec)));
  if (const auto paths = WritablePaths(spec); spec.workspace)
    text += ",\"writable\":[" + Join(paths, Quoted) + "]";
  if (!spec.env.empty()) {
    text +=
        ",\"env\":{" +
        Join(ProgramEnvironment(spec),
             [](const auto& variable) { return Quoted(variable.first) + ":" + Quoted(variable.second); }) +
        "}";
  }
  text += "}";
  std::string frame = "l";
  for (unsigned shift = 0; shift < 32; shift += 8) frame += static_cast<char>((text.size() >> shift) & 0xFF);
  return frame + text;
}

Expected<void> SendFiles(const LaunchSpec& spec, int socket) {
  FileStreamWriter writer(socket);
  Expected<void> done;
  if (spec.workspace && spec.workspace->mode == WorkspaceMode::kCopy) {
    done = CopyWorkspace(spec.workspace->host_path, spec.policy.limits, writer);
  }
  for (const InputFile& file : spec.files) {
    if (done) done = writer.File(file.name, false, file.bytes);
  }
  return done ? writer.End() : done;
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
  const bool same_cgroup = limits.memory_bytes == slot.limits.memory_bytes &&
                           limits.cpus == slot.limits.cpus &&
                           limits.processes_max == slot.limits.processes_max;
  if (!same_cgroup && parts.cgroup) {
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
  if (changes.scratch_size.empty() && changes.binds.empty() && !changes.expects_files) return {};
  auto changed = ChangeCell(parts.pidfd.get(), parts.workspace.get(), parts.change_ids, changes,
                            [&spec](int socket) { return SendFiles(spec, socket); });
  if (changed && !plan.binds.empty()) {
    parts.workspace.reset(openat(plan.binds.front().tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  return changed;
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
  options.cells_max = options_.cells_max;
  options.idle_expiry_ms = options_.idle_expiry_ms;
  std::string stamp = StampOf(environment);
  const std::lock_guard lock(mutex_);
  Pool& pool = pools_[KeyOf(environment)];
  std::erase_if(retired_, [](const std::shared_ptr<ZygoteHost>& host) { return host->Retire(); });
  if (pool.host && pool.stamp == stamp) return;
  // Its files have changed under it.
  if (pool.host && !pool.host->Retire()) retired_.push_back(std::move(pool.host));
  pool = {std::make_shared<ZygoteHost>(std::move(options)), std::move(stamp)};
}

std::shared_ptr<ZygoteHost> WarmCells::PoolOf(const LaunchSpec& spec) {
  const std::lock_guard lock(mutex_);
  const auto found = pools_.find(KeyOf(spec.environment));
  return found != pools_.end() ? found->second.host : nullptr;
}

Expected<std::unique_ptr<Sandbox>> WarmCells::Launch(const LaunchSpec& spec, std::string& why) {
  const std::int64_t begin_us = MonotonicUs();
  why = WhyCold(spec, host_);
  if (!why.empty()) return nullptr;
  const std::shared_ptr<ZygoteHost> pool = PoolOf(spec);
  if (!pool) {
    why = "this environment is not kept warm";
    return nullptr;
  }
  auto cell = pool->Take(kPatienceMs);
  if (!cell) {
    why = cell.error().ToString();
    return nullptr;
  }
  const std::int64_t taken_us = MonotonicUs();
  ContainerSandbox::Parts& parts = (*cell)->parts();
  if (auto adapted = Adapt(spec, host_, parts); !adapted) return std::unexpected(adapted.error());
  if (!spec.stdin_pipe) (*cell)->CloseChannel(Channel::kStdin);
  (*cell)->set_request_prefix(Settings(spec, host_));
  parts.started_at_us = MonotonicUs();
  parts.timings.insert(parts.timings.begin(), {Timing{"take_cell", taken_us - begin_us},
                                               Timing{"adapt_cell", parts.started_at_us - taken_us}});
  return std::unique_ptr<Sandbox>(*std::move(cell));
}

std::vector<PoolStatus> WarmCells::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<PoolStatus> all;
  for (const auto& [key, pool] : pools_) {
    const ZygoteHost::Status status = pool.host->status();
    all.push_back({key.substr(0, key.find('\n')), status.modules, status.waiting, status.running,
                   options_.cells_max, status.taken, status.forked_on_demand, status.error});
  }
  return all;
}

}  // namespace casemate::container
