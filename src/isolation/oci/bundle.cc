#include "isolation/oci/bundle.h"

#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "confine/init_binary.h"
#include "confine/program_plan.h"
#include "confine/root_table.h"
#include "confine/seccomp_filter.h"
#include "confine/seccomp_standalone.h"
#include "isolation/oci/start_record.h"

namespace casemate::embedded {
std::string_view OciInside(std::string_view path);  // made by tools/embed.py
}  // namespace casemate::embedded

namespace casemate::oci {
namespace {

// Raised so that a host short of memory takes the sandbox before its own services.
constexpr int kOomScoreAdj = 500;
constexpr const char* kStarterPath = "/casemate/start";
constexpr const char* kWayOutPath = "/casemate/egress";
constexpr const char* kContainerId = "casemate";
// In gVisor's network stack what a program has sent reaches the other end a moment later.
constexpr int kQuietInGvisorMs = 10;
// runc copies its own executable there.
constexpr std::int64_t kStateBytes = 32 * kMiB;
constexpr std::int64_t kThreadsOfRuntime = 512;
// gVisor's sandbox moves its standard streams to 253 to 255. A table of descriptors that threads share grows
// only with a grace period of the kernel's (6 to 8 ms); who is started with a higher number has a table that
// holds them.
constexpr int kHighDescriptor = 300;

// Where an ordinary user's bundle is mounted: the folders of his that lead to the lock folder may be closed
// to the ids that the runtime has. It is on every host (FHS 3.18).
constexpr const char* kOpenPlace = "/tmp";

// The runtime makes what is there itself.
constexpr std::string_view kSharedMemory = "dev/shm";

bool IsRuntimesOwn(std::string_view path) { return path.starts_with("dev/") && path != "dev/shm"; }

class Maker {
 public:
  Maker(const LaunchSpec& spec, const Host& host, const Runtime& runtime, const IdSource& ids,
        const IdLease& lease, bool portable)
      : spec_(spec),
        host_(host),
        runtime_(runtime),
        ids_(IdsOfRuntime(ids, lease)),
        portable_(portable),
        place_(ids.kind == IdSource::Kind::kDirect ? host.lock_folder : kOpenPlace) {
    plan().own_user_namespace = plan().runtime_given = ids.kind != IdSource::Kind::kDirect;
    base().ids = {ids_.root, ids_.program, ids.kind == IdSource::Kind::kNewuidmap,
                  ids.kind == IdSource::Kind::kNewuidmap};
  }

  Expected<std::unique_ptr<Bundle>> Make() {
    ConfinementPlan root;
    if (auto planned = PlanRoot(spec_, root); !planned) return std::unexpected(planned.error());
    plan().place = place_;
    plan().owner = ids_.program;
    plan().writable = "writable";
    base().texts = std::move(root.texts);
    base().oom_score_adj = kOomScoreAdj;
    PlanProgram();
    Add(RootEntry::Kind::kFolder, "given");
    Add(RootEntry::Kind::kFolder, "state");
    TakeRoot(root);
    PlanWritable();
    config().root_id = ids_.root;
    config().program_id = ids_.program;
    config().limits = spec_.policy.limits;
    Add(RootEntry::Kind::kFile, "config.json", WriteConfig(config()));
    base().root_options =
        fmt::format("mode=755,size={}", static_cast<std::int64_t>(bytes_) + 4096 * 1024 + kStateBytes);
    PlanRuntime();
    return std::move(bundle_);
  }

 private:
  RuntimePlan& plan() { return bundle_->plan; }
  ConfinementPlan& base() { return bundle_->plan.base; }
  Config& config() { return bundle_->config; }
  bool network() const { return spec_.policy.network.open(); }
  // How the container's init is told of the channels that it is given (init/starter.c).
  std::string ChannelsWord() const {
    const std::string_view control = spec_.control_channel ? "c" : "-";
    if (!network()) return std::string(control);
    return fmt::format("{}{},{}", control, spec_.policy.network.limits.connections_max,
                       runtime_.own_kernel() ? kQuietInGvisorMs : 0);
  }
  std::string Placed(std::string_view below) const { return fmt::format("{}/{}", place_, below); }

  void Add(RootEntry::Kind kind, std::string path, std::string content = "") {
    bytes_ += content.size();
    base().root_entries.push_back({kind, std::move(path), base().texts.emplace_back(std::move(content)),
                                   kind == RootEntry::Kind::kFile ? 0444U : 0755U});
  }

  void PlanProgram() {
    config().kind = runtime_.kind;
    config().network = network();
    config().env = ProgramEnvironment(spec_);
    config().working_dir = spec_.working_dir;
    const auto candidates = ExecCandidates(spec_.argv.front(), config().env.at("PATH"), spec_.working_dir);
    if (!portable_) {
      config().init_filters = true;
      bundle_->filter = StandaloneSeccompFilter(
          ContainerSeccompTables(), network() ? SandboxNetwork::kLoopback : SandboxNetwork::kNone);
    }
    config().args = {kStarterPath,
                     std::to_string(spec_.policy.limits.open_files_max),
                     std::to_string(ProcessesByStarter()),
                     ChannelsWord(),
                     std::to_string(bundle_->filter.size()),
                     std::to_string(candidates.size())};
    std::ranges::copy(candidates, std::back_inserter(config().args));
    std::ranges::copy(spec_.argv, std::back_inserter(config().args));
    config().resource_limits = CommonLimits();
    std::ranges::move(EachProcessLimits(spec_.policy), std::back_inserter(config().resource_limits));
    if (!ByCgroup(CgroupController::kMemory))
      config().resource_limits.push_back(PrivateMemoryLimit(spec_.policy.limits));
    for (ResourceLimit& limit : config().resource_limits) {
      // Until the container's init has put the channels where the program finds them; then it sets it itself.
      if (limit.resource == RLIMIT_NOFILE)
        limit.value.rlim_cur = limit.value.rlim_max = std::max<rlim_t>(limit.value.rlim_max, kResultFd + 1);
    }
    if (runtime_.own_kernel()) {
      // Its clocks count the time for which the host does not let it run, too: the engine's counters alone
      // tell.
      std::erase_if(config().resource_limits,
                    [](const ResourceLimit& limit) { return limit.resource == RLIMIT_CPU; });
      // Its processes are none of the host's.
      const auto processes = static_cast<rlim_t>(WithWayOut(spec_.policy.limits, spec_.policy).processes_max);
      config().resource_limits.push_back({RLIMIT_NPROC, {processes, processes}});
    }
    base().expects_files =
        !spec_.files.empty() || (spec_.workspace && spec_.workspace->mode == WorkspaceMode::kCopy);
  }

  bool OneId() const { return ids_.root == ids_.program; }

  bool ByCgroup(CgroupController controller) const {
    return portable_ || host_.cgroups.place(controller).version != 0;
  }

  // The container's init sets it, since a runtime has threads in the container that would be counted.
  std::int64_t ProcessesByStarter() const {
    if (runtime_.own_kernel() || ByCgroup(CgroupController::kPids)) return 0;
    return WithWayOut(spec_.policy.limits, spec_.policy).processes_max;
  }

  void Mount(std::string destination, std::string type, std::string source,
             std::vector<std::string> options) {
    config().mounts.push_back(
        {std::move(destination), std::move(type), std::move(source), std::move(options)});
  }

  void TakeRoot(ConfinementPlan& root) {
    Add(RootEntry::Kind::kFolder, "rootfs");
    for (RootEntry& entry : root.root_entries) {
      if (IsRuntimesOwn(entry.path)) continue;
      bytes_ += entry.content.size();
      base().root_entries.push_back({entry.kind, "rootfs/" + entry.path, entry.content, entry.mode});
    }
    base().root_entries.push_back(
        {RootEntry::Kind::kFile, fmt::format("rootfs{}", kStarterPath), StarterBinary(), 0555});
    if (network()) {
      const std::string_view way_out = embedded::OciInside("way_out");
      bytes_ += way_out.size();
      base().root_entries.push_back(
          {RootEntry::Kind::kFile, fmt::format("rootfs{}", kWayOutPath), way_out, 0555});
    }
    // With an own kernel these are its own: it knows no such options.
    std::vector<std::string> proc = {"nosuid", "noexec", "nodev"};
    if (!runtime_.own_kernel()) {
      for (const char* option : {"subset=pid", "hidepid=invisible"}) proc.emplace_back(option);
    }
    Mount("/proc", "proc", "proc", std::move(proc));
    std::vector<std::string> dev = {"nosuid", "noexec", "mode=755", "size=65536"};
    if (OneId()) dev.emplace_back("ro");  // the program would own it
    Mount("/dev", "tmpfs", "tmpfs", std::move(dev));
    plan().workspace = "writable/workspace";
    for (const RootEntry& entry : root.root_entries) {
      if (entry.kind == RootEntry::Kind::kFolder) folders_.insert(entry.path);
    }
    for (BindMount& bind : root.binds) {
      if (!IsRuntimesOwn(bind.target)) TakeBind(bind);
    }
  }

  // gVisor asks its file server about each mount of its own, in turn as it starts, and again for each name in
  // it that is opened. So a read-only folder of the host that is not the caller's is mounted where it is seen
  // below the root instead, and is a part of that: read-only as the root is, and what gVisor has once seen of
  // it stays. A caller's folder may change while the program looks at it.
  bool IsPartOfRoot(const BindMount& bind) const {
    return runtime_.own_kernel() && !portable_ && !bind.given && (bind.attributes & MOUNT_ATTR_RDONLY) != 0;
  }

  void TakeBind(BindMount& bind) {
    if (IsPartOfRoot(bind)) {
      bind.target = "rootfs/" + bind.target;
      base().binds.push_back(std::move(bind));
      return;
    }
    const std::string place = fmt::format("given/{}", base().binds.size());
    const std::string inside = "/" + bind.target;
    const bool read_only = (bind.attributes & MOUNT_ATTR_RDONLY) != 0;
    std::vector<std::string> options = {bind.recursive ? "rbind" : "bind", "nosuid", "nodev"};
    options.emplace_back(read_only ? "ro" : "rw");
    if ((bind.attributes & MOUNT_ATTR_NOEXEC) != 0) options.emplace_back("noexec");
    Mount(inside, "bind", portable_ ? bind.source : Placed(place), std::move(options));
    if (inside == kWorkspace) plan().workspace = place;
    Add(folders_.contains(bind.target) ? RootEntry::Kind::kFolder : RootEntry::Kind::kFile, place);
    bind.target = place;
    base().binds.push_back(std::move(bind));
  }

  // A file of the host that was linked has another identity in gVisor, so that a process which waits in a
  // semaphore (sem_open(3)) is never woken; those of its own file system keep theirs.
  void MountSharedMemory() {
    Mount(fmt::format("/{}", kSharedMemory), "tmpfs", "tmpfs",
          {"nosuid", "nodev", "noexec", "mode=1777", fmt::format("size={}", spec_.policy.limits.tmp_bytes)});
  }

  void PlanWritable() {
    const bool own_workspace = !spec_.workspace || spec_.workspace->mode == WorkspaceMode::kCopy;
    base().scratch = PlanScratch(spec_.policy.limits, own_workspace, false);
    for (const char* folder : {"writable", "writable/tmp", "writable/workspace", "writable/dev",
                               "writable/dev/shm", "writable/run", "writable/run/secrets"}) {
      Add(RootEntry::Kind::kFolder, folder);
    }
    for (const ScratchView& view : base().scratch.views) {
      std::vector<std::string> options = {"bind", "rw", "nosuid", "nodev"};
      if ((view.attributes & MOUNT_ATTR_NOEXEC) != 0) options.emplace_back("noexec");
      if (runtime_.own_kernel() && view.target == kSharedMemory) {
        MountSharedMemory();
        continue;
      }
      Mount("/" + view.target, "bind", Placed("writable/" + view.target), std::move(options));
    }
    for (const ResolvedSecret& secret : spec_.secrets) {
      if (secret.mode == SecretMode::kFile)
        base().secret_files.push_back({secret.name, secret.value->Reveal()});
    }
    if (base().secret_files.empty()) return;
    Mount("/run/secrets", "bind", Placed("writable/run/secrets"),
          {"bind", "ro", "nosuid", "nodev", "noexec"});
  }

  void PlanRuntime() {
    const int channels = WayOutAtStart(spec_.control_channel) - kRecordsFd + (network() ? 2 : 0);
    std::vector<std::string>& words = base().argv;
    const std::string state = Placed("state");
    words = {runtime_.path, "--root", state};
    std::vector<std::string> passing = {"--preserve-fds", std::to_string(channels)};
    switch (runtime_.kind) {
      case RuntimeKind::kCrun:
        words.emplace_back("--cgroup-manager=disabled");
        break;
      case RuntimeKind::kRunc:
        // "true" for it means: go on where it may not write to cgroups.
        words.emplace_back("--rootless=true");
        plan().cgroup_view = CgroupView::kReadOnly;
        break;
      case RuntimeKind::kRunsc:
      case RuntimeKind::kKata:
        plan().cgroup_view = CgroupView::kCovered;
        plan().high_descriptor = kHighDescriptor;
        for (const char* word : {"--network=none", "--ignore-cgroups", "--overlay2=none", "--host-uds=none"})
          words.emplace_back(word);
        words.push_back("--platform=" + runtime_.platform);
        passing.clear();
        for (int fd = kRecordsFd; fd < kRecordsFd + channels; ++fd)
          passing.push_back(fmt::format("--pass-fd={}:{}", fd, fd));
        break;
    }
    for (const char* word : {"run", "--detach"}) words.emplace_back(word);
    std::ranges::copy(passing, std::back_inserter(words));
    words.insert(words.end(), {"--bundle", place_, kContainerId});
    base().exec_candidates = {runtime_.path};
    base().env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                  "XDG_RUNTIME_DIR=" + state};
  }

  const LaunchSpec& spec_;
  const Host& host_;
  const Runtime& runtime_;
  const RuntimeIds ids_;
  bool portable_;
  const std::string place_;
  std::unique_ptr<Bundle> bundle_ = std::make_unique<Bundle>();
  std::set<std::string> folders_;
  std::size_t bytes_ = 0;
};

}  // namespace

Expected<std::unique_ptr<Bundle>> MakeBundle(const LaunchSpec& spec, const Host& host, const Runtime& runtime,
                                             const IdSource& ids, const IdLease& lease, bool portable) {
  return Maker(spec, host, runtime, ids, lease, portable).Make();
}

RuntimeIds IdsOfRuntime(const IdSource& ids, const IdLease& lease) {
  switch (ids.kind) {
    case IdSource::Kind::kDirect:
      return {lease.base(), lease.base() + 1};
    case IdSource::Kind::kNewuidmap:
      return {0, kProgramId};
    case IdSource::Kind::kSingle:
      return {0, 0};
  }
  std::unreachable();
}

Limits LimitsAtStart(const Limits& limits) {
  Limits start = limits;
  start.memory_bytes += 2 * kSentryBytes;
  start.processes_max += kThreadsOfRuntime;
  start.cpus = std::max(limits.cpus, 2.0);
  return start;
}

Limits WithWayOut(const Limits& limits, const Policy& policy) {
  Limits wider = limits;
  if (!policy.network.open()) return wider;
  wider.processes_max += 1;
  wider.memory_bytes += WayOutBytes(policy.network.limits);
  return wider;
}

Limits LimitsOfRun(const Limits& limits, const Runtime& runtime) {
  Limits run = limits;
  if (runtime.own_kernel()) {
    run.memory_bytes += kSentryBytes;
    // A thread of the host for each inside, and those of its kernel: the limit inside is that kernel's.
    run.processes_max = 2 * limits.processes_max + kThreadsOfRuntime;
  } else {
    run.processes_max += 1;  // the guard
  }
  return run;
}

}  // namespace casemate::oci
