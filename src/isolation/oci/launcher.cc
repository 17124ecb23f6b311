// Theory of operation: the engine's side of a launch by an OCI runtime. The child's side is runtime_child.cc
// and, in the container, src/confine/init/starter.c:
//
//   engine                         guard                      starter, pid 1 of the container
//   ids, bundle, cgroup, pipes
//   clone3 ----------------------> (of an ordinary user: waits for its ids and LaunchGo, opens the folders)
//                                  mounts the bundle
//       <-- kMounted ------------
//   files ---------------------->
//       <-- end of file ---------- runtime executed
//                                  runtime makes the container ->
//       <------------------------------------------------------ kReady
//       <-- the runtime's status - it has detached and ended
//   the run's own limits
//   filter, secrets, end of file ------------------------------> confines itself, executes the program
//       <------------------------------------------------------ kStarted
//
// What a harness is executed for comes through its request channel, after all that: so its filter and secrets
// are in their pipe from the beginning, and the interpreter starts while the runtime makes its last steps.
//
// kFailed may come instead of the last. Whatever happens, OciSandbox's destructor takes back what exists by
// then.
#include "isolation/oci/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/clock.h"
#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/file.h"
#include "confine/descriptor_limit.h"
#include "confine/file_stream.h"
#include "confine/host_mounts.h"
#include "confine/init_binary.h"
#include "confine/launch_step.h"
#include "confine/namespace_error.h"
#include "confine/program_plan.h"
#include "confine/syscalls.h"
#include "confine/workspace_copy.h"
#include "isolation/oci/start_record.h"
#include "isolation/wire/connections.h"
#include "isolation/wire/relay.h"
#include "model/secret_variables.h"

namespace casemate::oci {
namespace {

constexpr std::size_t kWordsOfRuntimeMax = 2000;
// Secrets wait in a pipe until the container's init takes them.
constexpr int kSecretsPipeBytes = 1 << 20;

std::unexpected<Error> ProgramError(int err, const LaunchSpec& spec) {
  if (err == ENOENT) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("there is no command {} in the sandbox; it sees the host's /usr and the interpreter, "
                    "and /workspace",
                    spec.argv.front()));
  }
  if (err == EACCES) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} cannot be executed in the sandbox; is it an executable file outside /tmp?",
                            spec.argv.front()));
  }
  return FailErrno(ErrorCode::kUnavailable,
                   "the sandbox could not execute the program; run `casemate doctor`", "execve", err);
}

std::unexpected<Error> StepError(const LaunchMessage& message) {
  if (message.step == LaunchStep::kInputFiles && message.err == ENOSPC) {
    return Fail(ErrorCode::kInvalidRequest,
                "the input files do not fit into the sandbox; give it more with --tmp-size");
  }
  return FailErrno(
      ErrorCode::kUnavailable,
      fmt::format("the sandbox could not {}; run `casemate doctor`", LaunchStepName(message.step)),
      fmt::format("launch step {}", static_cast<int>(message.step)), message.err);
}

Expected<std::array<UniqueFd, 2>> MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "pipe2");
  }
  return std::array<UniqueFd, 2>{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

class Launcher {
 public:
  Launcher(const LaunchSpec& spec, const Host& host, const Runtime& runtime, std::int64_t timeout_ms)
      : spec_(spec),
        host_(host),
        runtime_(runtime),
        ids_(IdsFor(host.ids, spec.policy)),
        start_us_(MonotonicUs()),
        deadline_(Deadline::After(timeout_ms)) {}

  Expected<std::unique_ptr<OciSandbox>> Run() {
    for (auto step : {&Launcher::Prepare, &Launcher::OpenChannels, &Launcher::OpenPipes, &Launcher::Clone,
                      &Launcher::GiveIds, &Launcher::Converse, &Launcher::AwaitStart}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(ExplainFailure(done.error()));
    }
    return std::move(sandbox_);
  }

 private:
  OciSandbox::Parts& parts() { return sandbox_->parts(); }
  ConfinementPlan& base() { return bundle_->plan.base; }
  void Mark(std::string_view step, std::int64_t at_us = MonotonicUs()) {
    parts().timings.push_back({std::string(step), at_us - start_us_});
    start_us_ = at_us;
  }

  Error ExplainFailure(const Error& seen) {
    if (seen.code != ErrorCode::kInternal || !parts().cgroup || parts().cgroup->Read().memory_kills == 0)
      return seen;
    return {ErrorCode::kInvalidRequest, "the sandbox ran out of memory while it was set up; raise --memory",
            ""};
  }

  Expected<void> Prepare() {
    if (auto raised = RaiseDescriptorLimit(kDescriptorsOfLaunch); !raised) return raised;
    parts().limits = LimitsOfRun(WithWayOut(spec_.policy.limits, spec_.policy), runtime_);
    parts().own_kernel = runtime_.own_kernel();
    parts().sampled = !host_.cgroups.complete();
    parts().samples_memory = host_.cgroups.place(CgroupController::kMemory).version == 0;
    auto lease = LeaseIds(ids_, host_.lock_folder);
    if (!lease) return std::unexpected(lease.error());
    parts().ids = *std::move(lease);
    auto bundle = MakeBundle(spec_, host_, runtime_, ids_, parts().ids);
    if (!bundle) return std::unexpected(bundle.error());
    bundle_ = *std::move(bundle);
    parts().program_uid = bundle_->plan.owner;
    parts().change_ids = ids_.kind != IdSource::Kind::kSingle;
    auto variables = SecretVariables(spec_.secrets);
    if (!variables) return std::unexpected(variables.error());
    secret_variables_ = *std::move(variables);
    if (auto opened = OpenHostMounts(ids_, parts().ids, base(), runtime_.own_kernel()); !opened)
      return opened;
    auto guard = OpenGuardBinary();
    if (!guard) return std::unexpected(guard.error());
    guard_binary_ = *std::move(guard);
    if (bundle_->plan.runtime_given) {
      auto executable = OpenFile(runtime_.path, O_PATH);
      if (!executable) return std::unexpected(executable.error());
      runtime_binary_ = *std::move(executable);
    }
    Mark("prepare");
    auto cgroup = Cgroup::Create(host_.cgroups, LimitsAtStart(WithWayOut(spec_.policy.limits, spec_.policy)));
    if (!cgroup) return std::unexpected(cgroup.error());
    parts().cgroup = *std::move(cgroup);
    auto entrances = parts().cgroup->OpenEntrances();
    if (!entrances) return std::unexpected(entrances.error());
    entrances_ = *std::move(entrances);
    for (const UniqueFd& fd : entrances_) entrance_numbers_.push_back(fd.get());
    bundle_->plan.cgroups = entrance_numbers_;
    Mark("cgroup");
    return {};
  }

  Expected<void> OpenChannels() {
    auto ends = MakeChannels({spec_.stdin_pipe, spec_.control_channel, kLaunchTimeoutMs}, parts().ends);
    if (!ends) return std::unexpected(ends.error());
    ends_ = *std::move(ends);
    // Where a runtime can pass them; the container's init moves them on.
    for (DescriptorMove& move : ends_.moves) {
      if (move.to == kRequestFd) move.to = kRequestAtStart;
      if (move.to == kResultFd) move.to = kResultAtStart;
    }
    return {};
  }

  Expected<void> OpenPipes() {
    auto records = MakePipe();
    auto ended = MakePipe();
    auto secrets = MakePipe();
    for (const auto* pipe : {&records, &ended, &secrets}) {
      if (!*pipe) return std::unexpected(pipe->error());
    }
    if (fcntl((*records)[0].get(), F_SETFL, O_NONBLOCK) != 0 ||
        fcntl((*secrets)[1].get(), F_SETFL, O_NONBLOCK) != 0) {
      return FailErrno(ErrorCode::kInternal, "cannot set up a pipe", "fcntl");
    }
    parts().records = std::move((*records)[0]);
    ended_ = std::move((*ended)[0]);
    secrets_ = std::move((*secrets)[1]);
    GiveInside(std::move((*records)[1]), kRecordsFd);
    GiveInside(std::move((*ended)[1]), kEndedFd);
    GiveInside(std::move((*secrets)[0]), kSecretsFd);
    if (auto opened = OpenWayOut(); !opened) return opened;
    if (runtime_binary_.valid()) GiveInside(std::move(runtime_binary_), kRuntimeFd);
    return spec_.control_channel ? Release() : Expected<void>();
  }

  // Two pipes, like the other channels: any runtime can pass them, and gVisor knows them.
  Expected<void> OpenWayOut() {
    if (!spec_.policy.network.open()) return {};
    auto handover = Connections::MakeHandover();
    if (!handover) return std::unexpected(handover.error());
    auto inward = MakePipe();
    auto outward = MakePipe();
    for (const auto* pipe : {&inward, &outward}) {
      if (!*pipe) return std::unexpected(pipe->error());
    }
    if (fcntl((*inward)[1].get(), F_SETFL, O_NONBLOCK) != 0 ||
        fcntl((*outward)[0].get(), F_SETFL, O_NONBLOCK) != 0) {
      return FailErrno(ErrorCode::kInternal, "cannot set up a pipe", "fcntl");
    }
    const int first = WayOutAtStart(spec_.control_channel);
    GiveInside(std::move((*inward)[0]), first);
    GiveInside(std::move((*outward)[1]), first + 1);
    parts().egress = std::move(handover->theirs);
    parts().relay = std::make_unique<Relay>(std::move((*outward)[0]), std::move((*inward)[1]),
                                            std::move(handover->ours), spec_.policy.network.limits);
    return {};
  }

  void GiveInside(UniqueFd fd, int number) {
    ends_.moves.push_back({fd.get(), number});
    ends_.program.push_back(std::move(fd));
  }

  void ListDescriptorsToKeep() {
    base().descriptors = ends_.moves;
    base().socket = ends_.theirs.get();
    base().lifeline = ends_.lifeline.get();
    base().exit_status = ends_.exit_status.get();
    base().init_binary = guard_binary_.get();
    bundle_->plan.ended = ended_.get();
    std::vector<int>& keep = base().keep;
    keep = {base().socket, base().lifeline, base().exit_status, base().init_binary, ended_.get()};
    for (const DescriptorMove& move : base().descriptors) keep.push_back(move.from);
    for (const BindMount& bind : base().binds) {
      if (bind.tree.valid()) keep.push_back(bind.tree.get());
    }
    keep.insert(keep.end(), entrance_numbers_.begin(), entrance_numbers_.end());
    std::ranges::sort(keep);
  }

  Expected<void> Clone() {
    ListDescriptorsToKeep();
    int pidfd = -1;
    clone_args args{};
    args.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD;
    if (bundle_->plan.own_user_namespace) args.flags |= CLONE_NEWUSER;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    const pid_t pid = Clone3(args);
    if (pid == 0) RunRuntime(bundle_->plan);
    if (pid < 0) return NamespaceError(errno);
    parts().guard = pid;
    parts().root = bundle_->plan.place + "/rootfs";
    parts().pidfd.reset(pidfd);
    ends_.moves.clear();
    ends_.program.clear();
    ends_.theirs.reset();
    ends_.lifeline.reset();
    ends_.exit_status.reset();
    ended_.reset();
    guard_binary_.reset();
    entrances_.clear();
    for (BindMount& bind : base().binds) bind.tree.reset();
    Mark("clone");
    return {};
  }

  // An ordinary user's: from here on the child may do what root's does.
  Expected<void> GiveIds() {
    if (!bundle_->plan.own_user_namespace) return {};
    if (auto written = WriteIdMaps(parts().guard, ids_, parts().ids, 1, base().ids.init_uid); !written)
      return written;
    // Kept for whoever has to enter later with the sandbox's ids (file_agent.h).
    auto user_namespace = OpenFile(fmt::format("/proc/{}/ns/user", parts().guard), O_RDONLY);
    if (!user_namespace) return std::unexpected(user_namespace.error());
    parts().user_namespace = *std::move(user_namespace);
    const LaunchGo go;
    const int sent = SendDescriptors(ends_.ours.get(), std::as_bytes(std::span(&go, 1)), {});
    if (sent != 0)
      return FailErrno(ErrorCode::kInternal, "the sandbox died while it started", "sendmsg", -sent);
    Mark("ids");
    return {};
  }

  Expected<void> Converse() {
    for (;;) {
      pollfd ready{ends_.ours.get(), POLLIN, 0};
      const int count = poll(&ready, 1, static_cast<int>(deadline_.RemainingMs()));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return NotInTime();
      LaunchMessage message{};
      std::array<UniqueFd, 2> fds;
      auto more = ReceiveLaunchMessage(ends_.ours.get(), message, fds);
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      if (message.kind == LaunchMessageKind::kFailed) return StepError(message);
      Mark("bundle", message.at_us);
      parts().scratch = std::move(fds[0]);
      parts().workspace = std::move(fds[1]);
      if (!base().expects_files) continue;
      if (auto sent = SendFiles(); !sent) return sent;
    }
    return {};
  }

  Expected<void> SendFiles() {
    auto done = SendGivenFiles(spec_, ends_.ours.get());
    if (done) Mark("files");
    return done;
  }

  static std::unexpected<Error> NotInTime() {
    return Fail(ErrorCode::kUnavailable,
                "the OCI runtime did not start the sandbox in time; is this host overloaded?");
  }

  // The runtime's last words are where the program's would be.
  std::unexpected<Error> RuntimeFailed() {
    std::string words(kWordsOfRuntimeMax, '\0');
    const ssize_t count = read(sandbox_->ChannelFd(Channel::kStderr), words.data(), words.size());
    words.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!words.empty() && words.back() == '\n') words.pop_back();
    // kInternal: ExplainFailure looks at the kernel's counters first.
    const bool killed = parts().cgroup->Read().memory_kills > 0;
    return Fail(killed ? ErrorCode::kInternal : ErrorCode::kUnavailable,
                fmt::format("{} could not start the sandbox; run `casemate doctor`", runtime_.Describe()),
                words);
  }

  Expected<void> AwaitStart() {
    // What is told of the program after its start is not read here.
    while (parts().started_at_us == 0 || !detached_) {
      std::array<pollfd, 3> ready{};
      ready[0] = {parts().started_at_us == 0 ? parts().records.get() : -1, POLLIN, 0};
      ready[1] = {detached_ ? -1 : parts().ends.exit_status.get(), POLLIN, 0};
      ready[2] = {parts().pidfd.get(), POLLIN, 0};
      const int count = poll(ready.data(), ready.size(), static_cast<int>(deadline_.RemainingMs()));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return NotInTime();
      Expected<void> done;
      if (ready[0].revents != 0) done = TakeRecord();
      if (done && ready[1].revents != 0) done = TakeStatus();
      if (!done) return done;
      if (ready[2].revents != 0 && parts().started_at_us == 0) return RuntimeFailed();
      if (ready_ && detached_ && !limited_) {
        if (auto limited = SetLimits(); !limited) return limited;
        if (auto released = Release(); !released) return released;
      }
    }
    Mark("exec", std::max(parts().started_at_us, start_us_));
    return {};
  }

  Expected<void> TakeStatus() {
    int status = 0;
    const ssize_t count = read(parts().ends.exit_status.get(), &status, sizeof(status));
    // The program may have ended already, and all with it; a runtime that fails is told of before that.
    const bool over = count == 0 && parts().started_at_us != 0;
    if (!over && (count != sizeof(status) || status != 0)) return RuntimeFailed();
    detached_ = true;
    return {};
  }

  Expected<void> TakeRecord() {
    StartRecord record;
    const ssize_t count = read(parts().records.get(), &record, sizeof(record));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count != sizeof(record)) return RuntimeFailed();
    switch (record.what) {
      case StartRecord::kReady:
        ready_ = true;
        return {};
      case StartRecord::kStarted:
        parts().started_at_us = MonotonicUs();
        return {};
      case StartRecord::kFailed:
        return ProgramError(record.value, spec_);
      case StartRecord::kNoWayOut:
        return FailErrno(ErrorCode::kUnavailable,
                         "the sandbox could not open its way to the egress proxy; use --isolation container",
                         "way out", record.value);
      default:
        return Fail(ErrorCode::kInternal, "the sandbox's start was garbled");
    }
  }

  // The runtime needs no more than the program from here on.
  Expected<void> SetLimits() {
    Mark("runtime");
    auto changed = parts().cgroup->ChangeLimits(
        host_.cgroups, LimitsOfRun(WithWayOut(spec_.policy.limits, spec_.policy), runtime_));
    if (!changed) return changed;
    if (auto taken = parts().TakeBefore(); !taken) return taken;
    limited_ = true;
    return {};
  }

  // Lets the container's init execute what it is for.
  Expected<void> Release() {
    if (!secrets_.valid()) return {};
    // It fits into any pipe, and nobody has read of this one yet.
    const std::string_view filter(reinterpret_cast<const char*>(bundle_->filter.data()),
                                  bundle_->filter.size() * sizeof(sock_filter));
    if (write(secrets_.get(), filter.data(), filter.size()) != static_cast<ssize_t>(filter.size()))
      return FailErrno(ErrorCode::kInternal, "cannot give the sandbox its filter of system calls", "write");
    if (!secret_variables_.empty()) fcntl(secrets_.get(), F_SETPIPE_SZ, kSecretsPipeBytes);
    for (const SecretValue& variable : secret_variables_) {
      const std::string_view bytes = variable.Reveal();
      for (const std::string_view part : {bytes, std::string_view("\0", 1)}) {
        if (write(secrets_.get(), part.data(), part.size()) == static_cast<ssize_t>(part.size())) continue;
        return Fail(ErrorCode::kInvalidRequest,
                    "the secrets given as variables are larger than 1 MiB together; give them as files");
      }
    }
    secret_variables_.clear();
    secrets_.reset();
    return {};
  }

  const LaunchSpec& spec_;
  const Host& host_;
  const Runtime& runtime_;
  const IdSource ids_;
  std::int64_t start_us_;
  const Deadline deadline_;
  std::unique_ptr<OciSandbox> sandbox_ = std::make_unique<OciSandbox>();
  std::vector<SecretValue> secret_variables_;
  std::unique_ptr<Bundle> bundle_;
  std::vector<UniqueFd> entrances_;
  std::vector<int> entrance_numbers_;
  ChannelEnds ends_;
  UniqueFd guard_binary_;
  UniqueFd runtime_binary_;
  UniqueFd ended_;
  UniqueFd secrets_;
  bool ready_ = false;
  bool detached_ = false;
  bool limited_ = false;
};

}  // namespace

Expected<std::unique_ptr<OciSandbox>> LaunchOci(const LaunchSpec& spec, const Host& host,
                                                const Runtime& runtime, std::int64_t timeout_ms) {
  return Launcher(spec, host, runtime, timeout_ms).Run();
}

}  // namespace casemate::oci
