// Theory of operation: the engine's side of a launch without namespaces. The child's side is
// src/confine/keeper.cc; between them is one SOCK_SEQPACKET socket (confine/launch_step.h):
//
//   engine                                   child
//   ids, the run's folder, cgroups, pipes, plan
//   fork --------------------------------->  the keeper: subreaper, cgroups, ids
//   files, when there are any ------------>
//                                            fork; drop privileges; filter
//       <-- kListener ----------------------
//       <-- end of file: it has exec'ed ----
//
// kFailed may come at any point instead. Whatever happens, ProcessSandbox's destructor takes back what exists
// by then.
#include "isolation/process/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"
#include "confine/descriptor_limit.h"
#include "confine/file_stream.h"
#include "confine/init_binary.h"
#include "confine/keeper.h"
#include "confine/launch_step.h"
#include "confine/syscalls.h"
#include "confine/workspace_copy.h"
#include "isolation/process/launch_plan.h"
#include "model/secret_variables.h"

namespace casemate::process {
namespace {

constexpr std::int64_t kLaunchTimeoutMs = 10'000;
constexpr uid_t kCallersOwn = static_cast<uid_t>(-1);
// The frame that tells the harness where its paths are: a type, a little-endian length, the path.
constexpr char kPlaceFrame = 'p';

std::string PlaceFrame(const std::string& root) {
  std::string frame(1, kPlaceFrame);
  for (unsigned shift = 0; shift < 32; shift += 8) frame += static_cast<char>(root.size() >> shift & 0xff);
  return frame + root;
}

std::unexpected<Error> StepError(const LaunchMessage& message, const LaunchSpec& spec) {
  if (message.step == LaunchStep::kExecProgram && message.err == ENOENT) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("there is no command {} in the sandbox; it sees the host's /usr, the interpreter and "
                    "its workspace",
                    spec.argv.front()));
  }
  if (message.step == LaunchStep::kExecProgram && message.err == EACCES) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("{} cannot be executed in the sandbox; is it an executable file that was given to it?",
                    spec.argv.front()));
  }
  if (message.step == LaunchStep::kInputFiles && message.err == ENOSPC) {
    return Fail(ErrorCode::kUnavailable,
                "the input files do not fit onto the disk of the run's folder; free space");
  }
  if (message.step == LaunchStep::kWorkingDir && message.err == EACCES) {
    return Fail(
        ErrorCode::kUnavailable,
        "the program's user id cannot reach its workspace; every folder above it, and above $TMPDIR, must be "
        "passable for others (chmod o+x), or use the workspace mode `copy`");
  }
  return FailErrno(
      ErrorCode::kUnavailable,
      fmt::format("the sandbox could not {}; run `casemate doctor`", LaunchStepName(message.step)),
      fmt::format("launch step {}", static_cast<int>(message.step)), message.err);
}

class Launcher {
 public:
  Launcher(const LaunchSpec& spec, const Host& host) : spec_(spec), host_(host), start_us_(MonotonicUs()) {}

  Expected<std::unique_ptr<ProcessSandbox>> Run() {
    for (auto step : {&Launcher::Prepare, &Launcher::OpenChannels, &Launcher::Fork, &Launcher::SendFiles,
                      &Launcher::Converse}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(ExplainFailure(done.error()));
    }
    return std::move(sandbox_);
  }

 private:
  // What we saw may be only the echo of the child's own failure: its report, or the kernel's count, says
  // more.
  Error ExplainFailure(const Error& seen) {
    if (seen.code != ErrorCode::kInternal || parts().keeper < 0) return seen;
    LaunchMessage message{};
    std::array<UniqueFd, 2> fds;
    for (auto more = ReceiveLaunchMessage(ends_.ours.get(), message, fds, MSG_DONTWAIT); more && *more;
         more = ReceiveLaunchMessage(ends_.ours.get(), message, fds, MSG_DONTWAIT)) {
      if (message.kind == LaunchMessageKind::kFailed) return StepError(message, spec_).error();
    }
    if (parts().cgroup && parts().cgroup->Read().memory_kills > 0) {
      return {ErrorCode::kInvalidRequest, "the sandbox ran out of memory while it was set up; raise --memory",
              ""};
    }
    return seen;
  }

  ProcessSandbox::Parts& parts() { return sandbox_->parts(); }
  void Mark(std::string_view step, std::int64_t at_us = MonotonicUs()) {
    parts().timings.push_back({std::string(step), at_us - start_us_});
    start_us_ = at_us;
  }

  Expected<void> Prepare() {
    if (auto raised = RaiseDescriptorLimit(kDescriptorsOfLaunch); !raised) return raised;
    parts().limits = spec_.policy.limits;
    if (auto taken = TakeIds(); !taken) return taken;
    auto folder = RunFolder::Make(host_.temporary, host_.own_ids() ? parts().program_uid : kCallersOwn);
    if (!folder) return std::unexpected(folder.error());
    parts().folder = *std::move(folder);
    for (const RootFile& file : spec_.root_files) {
      if (auto written = parts().folder.Write(file); !written) return written;
    }
    auto plan = MakePlan(spec_, host_, parts().folder.path());
    if (!plan) return std::unexpected(plan.error());
    plan_ = *std::move(plan);
    auto variables = SecretVariables(spec_.secrets);
    if (!variables) return std::unexpected(variables.error());
    secret_variables_ = *std::move(variables);
    for (SecretValue& variable : secret_variables_) plan_->program.secret_env.push_back(variable.data());
    if (host_.own_ids()) plan_->program.ids.program_uid = parts().program_uid;
    plan_->keeper_uid = parts().ids.base();
    parts().request_prefix = PlaceFrame(parts().folder.path());
    Mark("prepare");
    return MakeCgroup();
  }

  Expected<void> TakeIds() {
    parts().own_ids = host_.own_ids();
    parts().program_uid = geteuid();
    if (!host_.own_ids()) return {};
    auto lease = LeaseIds(host_.ids, host_.lock_folder);
    if (!lease) return std::unexpected(lease.error());
    parts().ids = *std::move(lease);
    parts().program_uid = parts().ids.base() + 1;
    return {};
  }

  Expected<void> MakeCgroup() {
    auto cgroup = Cgroup::Create(host_.cgroups, spec_.policy.limits);
    if (!cgroup) return std::unexpected(cgroup.error());
    parts().cgroup = *std::move(cgroup);
    auto entrances = parts().cgroup->OpenEntrances();
    if (!entrances) return std::unexpected(entrances.error());
    entrances_ = *std::move(entrances);
    for (const UniqueFd& fd : entrances_) entrance_numbers_.push_back(fd.get());
    plan_->cgroups = entrance_numbers_;
    Mark("cgroup");
    return {};
  }

  Expected<void> OpenChannels() {
    auto ends = MakeChannels({spec_.stdin_pipe, spec_.control_channel, kLaunchTimeoutMs}, parts().ends);
    if (!ends) return std::unexpected(ends.error());
    ends_ = *std::move(ends);
    auto keeper = OpenKeeperBinary();
    if (!keeper) return std::unexpected(keeper.error());
    keeper_binary_ = *std::move(keeper);
    auto workspace = OpenFile(WorkspaceOf(spec_, parts().folder.path()), O_RDONLY | O_DIRECTORY);
    if (!workspace) return std::unexpected(workspace.error());
    parts().workspace = *std::move(workspace);
    ConfinementPlan& program = plan_->program;
    program.socket = ends_.theirs.get();
    program.lifeline = ends_.lifeline.get();
    program.exit_status = ends_.exit_status.get();
    program.descriptors = ends_.moves;
    program.init_binary = keeper_binary_.get();
    plan_->workspace = parts().workspace.get();
    plan_->lock = parts().folder.lock_fd();
    program.keep = {program.socket,      program.lifeline, program.exit_status,
                    program.init_binary, plan_->workspace, plan_->lock};
    for (const DescriptorMove& move : program.descriptors) program.keep.push_back(move.from);
    program.keep.insert(program.keep.end(), entrance_numbers_.begin(), entrance_numbers_.end());
    std::ranges::sort(program.keep);
    return {};
  }

  // Without clone3, which the filter of a container around us may refuse (Docker's does).
  Expected<void> Fork() {
    const pid_t pid = ForkAlone();
    if (pid == 0) RunKeeper(*plan_);
    if (pid < 0) {
      return FailErrno(ErrorCode::kUnavailable,
                       "this user or cgroup has too many processes; raise ulimit -u or pids.max", "clone");
    }
    parts().keeper = pid;
    // Nobody else reaps it, so its number is its own until we do.
    parts().pidfd.reset(PidfdOpen(pid));
    const int err = errno;
    ends_.moves.clear();
    ends_.program.clear();
    ends_.theirs.reset();
    ends_.lifeline.reset();
    ends_.exit_status.reset();
    keeper_binary_.reset();
    entrances_.clear();
    Mark("fork");
    if (parts().pidfd.valid()) return {};
    parts().ends.lifeline.reset();
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return FailErrno(ErrorCode::kUnavailable, "this kernel has no pidfds, or a filter refuses them",
                     "pidfd_open", err);
  }

  Expected<void> SendFiles() {
    if (!plan_->program.expects_files) return {};
    auto done = SendGivenFiles(spec_, ends_.ours.get());
    if (done) Mark("files");
    return done;
  }

  Expected<void> Converse() {
    const Deadline deadline = Deadline::After(kLaunchTimeoutMs);
    for (;;) {
      pollfd ready{ends_.ours.get(), POLLIN, 0};
      const int count = poll(&ready, 1, static_cast<int>(deadline.RemainingMs()));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return Fail(ErrorCode::kInternal, "the sandbox did not start within ten seconds");
      LaunchMessage message{};
      std::array<UniqueFd, 2> fds;
      auto more = ReceiveLaunchMessage(ends_.ours.get(), message, fds);
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      if (message.kind == LaunchMessageKind::kFailed) return StepError(message, spec_);
      if (message.kind != LaunchMessageKind::kListener)
        return Fail(ErrorCode::kInternal, "the sandbox's start was garbled");
      Mark("drop_privileges", message.at_us);
      parts().started_at_us = message.at_us;
      if (fds[0].valid()) parts().listener.emplace(std::move(fds[0]), ProcessSeccompTables());
    }
    if (parts().started_at_us == 0) return Fail(ErrorCode::kInternal, "the sandbox died while it started");
    Mark("exec");
    return {};
  }

  const LaunchSpec& spec_;
  const Host& host_;
  std::int64_t start_us_;
  std::unique_ptr<ProcessSandbox> sandbox_ = std::make_unique<ProcessSandbox>();
  std::vector<SecretValue> secret_variables_;  // the plan points into them
  std::unique_ptr<KeeperPlan> plan_;
  std::vector<UniqueFd> entrances_;
  std::vector<int> entrance_numbers_;
  ChannelEnds ends_;
  UniqueFd keeper_binary_;
};

}  // namespace

Expected<std::unique_ptr<ProcessSandbox>> LaunchProcess(const LaunchSpec& spec, const Host& host) {
  return Launcher(spec, host).Run();
}

}  // namespace casemate::process
