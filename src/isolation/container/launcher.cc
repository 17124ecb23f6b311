// Theory of operation: the engine's side of a launch. The child's side is src/confine/apply.cc; between them
// is one SOCK_SEQPACKET socket (confine/launch_step.h):
//
//   engine                                   child
//   plan, ids, pipes, mounts
//   clone3 ------------------------------->  parent death signal, network namespace
//   cgroups (version 2: before the clone), id maps
//   LaunchGo ----------------------------->  cgroups, mounts, root, pivot
//       <-- kMounted: scratch, /workspace --
//   files, when there are any ------------>
//                                            fork; drop privileges; filter
//       <-- kListener ----------------------
//       <-- end of file: it has exec'ed ----
//
// kFailed may come at any point instead. Whatever happens, ContainerSandbox's destructor takes back what
// exists by then.
#include "isolation/container/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/clock.h"
#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/window_size.h"
#include "confine/apply.h"
#include "confine/descriptor_limit.h"
#include "confine/file_stream.h"
#include "confine/host_mounts.h"
#include "confine/init_binary.h"
#include "confine/launch_step.h"
#include "confine/namespace_error.h"
#include "confine/root.h"
#include "confine/syscalls.h"
#include "confine/workspace_copy.h"
#include "isolation/container/channels.h"
#include "model/secret_variables.h"
#include "zygote/cell_message.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kLaunchTimeoutMs = 10'000;

std::unexpected<Error> StepError(const LaunchMessage& message, const LaunchSpec& spec) {
  if (message.step == LaunchStep::kExecProgram && message.err == ENOENT) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("there is no command {} in the sandbox; it sees the host's /usr and the interpreter, and "
                    "/workspace",
                    spec.argv.front()));
  }
  if (message.step == LaunchStep::kInputFiles && message.err == ENOSPC) {
    return Fail(ErrorCode::kInvalidRequest,
                "the input files do not fit into the sandbox; give it more with --tmp-size");
  }
  if (message.step == LaunchStep::kExecProgram && message.err == EACCES) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} cannot be executed in the sandbox; is it an executable file "
                            "outside /tmp?",
                            spec.argv.front()));
  }
  return FailErrno(
      ErrorCode::kUnavailable,
      fmt::format("the sandbox could not {}; run `casemate doctor`", LaunchStepName(message.step)),
      fmt::format("launch step {}", static_cast<int>(message.step)), message.err);
}

class Launcher {
 public:
  Launcher(const LaunchSpec& spec, const Host& host, const ZygoteLaunch* zygote)
      : spec_(spec),
        host_(host),
        zygote_(zygote),
        ids_(IdsFor(host.ids, spec.policy)),
        start_us_(MonotonicUs()) {}

  Expected<std::unique_ptr<ContainerSandbox>> Run() {
    for (auto step : {&Launcher::Prepare, &Launcher::OpenChannels, &Launcher::Clone, &Launcher::GiveIds,
                      &Launcher::Converse}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(ExplainFailure(done.error()));
    }
    return std::move(sandbox_);
  }

 private:
  // What we saw may be only the echo of the child's own failure: its report, or the kernel's count, says
  // more.
  Error ExplainFailure(const Error& seen) {
    if (seen.code != ErrorCode::kInternal || parts().init < 0) return seen;
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

  ContainerSandbox::Parts& parts() { return sandbox_->parts(); }
  void Mark(std::string_view step, std::int64_t at_us = MonotonicUs()) {
    parts().timings.push_back({std::string(step), at_us - start_us_});
    start_us_ = at_us;
  }

  Expected<void> Prepare() {
    if (auto raised = RaiseDescriptorLimit(kDescriptorsOfLaunch); !raised) return raised;
    auto plan = MakePlan(spec_, host_, ids_);
    if (!plan) return std::unexpected(plan.error());
    plan_ = *std::move(plan);
    auto variables = SecretVariables(spec_.secrets);
    if (!variables) return std::unexpected(variables.error());
    secret_variables_ = *std::move(variables);
    for (SecretValue& variable : secret_variables_) plan_->secret_env.push_back(variable.data());
    if (zygote_ != nullptr) KeepPowersOfZygote();
    auto lease = LeaseIds(ids_, host_.lock_folder, IdPairs());
    if (!lease) return std::unexpected(lease.error());
    parts().ids = *std::move(lease);
    parts().limits = spec_.policy.limits;
    parts().change_ids = plan_->ids.change_ids;
    if (auto opened = OpenHostMounts(ids_, parts().ids, *plan_); !opened) return opened;
    // Version 1 is made while the child makes its network namespace.
    if (host_.cgroups.entered_at_birth()) {
      if (auto made = MakeCgroup(); !made) return made;
    }
    auto init = OpenInitBinary();
    if (!init) return std::unexpected(init.error());
    init_binary_ = *std::move(init);
    plan_->init_binary = init_binary_.get();
    Mark("prepare");
    return {};
  }

  Expected<void> MakeCgroup() {
    auto cgroup = Cgroup::Create(host_.cgroups, spec_.policy.limits);
    if (!cgroup) return std::unexpected(cgroup.error());
    parts().cgroup = *std::move(cgroup);
    return {};
  }

  uid_t IdPairs() const { return zygote_ != nullptr ? zygote_->id_pairs : 1; }

  // A zygote runs no foreign code. Its cells take their limits, their filter and Landlock when they are
  // forked or sealed, and could not have more than it has.
  void KeepPowersOfZygote() {
    plan_->seccomp = {};
    plan_->landlock.abi = 0;
    plan_->resource_limits = CommonLimits();
  }

  Expected<void> OpenChannels() {
    auto ends = MakeChannels(
        {spec_.stdin_pipe, spec_.control_channel, kLaunchTimeoutMs, spec_.terminal.has_value()}, parts());
    if (!ends) return std::unexpected(ends.error());
    ends_ = *std::move(ends);
    plan_->descriptors = ends_.moves;
    plan_->socket = ends_.theirs.get();
    plan_->lifeline = ends_.lifeline.get();
    plan_->exit_status = ends_.exit_status.get();
    if (zygote_ != nullptr) {
      plan_->descriptors.push_back({zygote_->control_fd, kZygoteControlFd});
      plan_->descriptors.push_back({init_binary_.get(), kZygoteInitFd});
    }
    return {};
  }

  void ListDescriptorsToKeep() {
    std::vector<int>& keep = plan_->keep;
    keep = {plan_->socket, plan_->lifeline, plan_->exit_status, plan_->init_binary};
    for (const DescriptorMove& move : plan_->descriptors) {
      if (move.from >= 0) keep.push_back(move.from);
    }
    for (const BindMount& bind : plan_->binds) {
      if (bind.tree.valid()) keep.push_back(bind.tree.get());
    }
    std::ranges::sort(keep);
  }

  Expected<void> Clone() {
    int pidfd = -1;
    clone_args args{};
    // The child makes its network and ipc namespaces itself, beside our own work.
    args.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    if (parts().cgroup && parts().cgroup->clone_fd() >= 0) {
      args.flags |= CLONE_INTO_CGROUP;
      args.cgroup = static_cast<__u64>(parts().cgroup->clone_fd());
    }
    ListDescriptorsToKeep();
    const pid_t pid = Clone3(args);
    if (pid < 0) return NamespaceError(errno);
    if (pid == 0) RunInit(*plan_);
    parts().init = pid;
    parts().pidfd.reset(pidfd);
    ends_.moves.clear();
    ends_.program.clear();
    ends_.theirs.reset();
    ends_.lifeline.reset();
    ends_.exit_status.reset();
    init_binary_.reset();
    for (BindMount& bind : plan_->binds) bind.tree.reset();
    Mark("clone");
    return {};
  }

  Expected<void> GiveIds() {
    if (!parts().cgroup) {
      if (auto made = MakeCgroup(); !made) return made;
      Mark("cgroup");
    }
    if (auto written = WriteIdMaps(parts().init, ids_, parts().ids, IdPairs()); !written) return written;
    // Kept for whoever has to enter later with the sandbox's ids (file_agent.h).
    auto user_namespace = OpenFile(fmt::format("/proc/{}/ns/user", parts().init), O_RDONLY);
    if (!user_namespace) return std::unexpected(user_namespace.error());
    parts().user_namespace = *std::move(user_namespace);
    if (auto sent = SendGo(); !sent) return sent;
    parts().cgroup->CloseEntrances();
    Mark("ids");
    return {};
  }

  Expected<void> SendGo() {
    std::vector<int> entrances;
    for (const UniqueFd& fd : parts().cgroup->task_fds()) entrances.push_back(fd.get());
    LaunchGo go;
    go.cgroups = static_cast<std::uint8_t>(entrances.size());
    const int sent = SendDescriptors(ends_.ours.get(), std::as_bytes(std::span(&go, 1)), entrances);
    if (sent == 0) return {};
    return FailErrno(ErrorCode::kInternal, "the sandbox died while it started", "sendmsg", -sent);
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
      if (auto done = Take(message, fds); !done) return done;
    }
    if (parts().started_at_us == 0) return Fail(ErrorCode::kInternal, "the sandbox died while it started");
    Mark("exec");
    return {};
  }

  Expected<void> Take(const LaunchMessage& message, std::array<UniqueFd, 2>& fds) {
    switch (message.kind) {
      case LaunchMessageKind::kReady:
        parts().egress = std::move(fds[0]);
        return {};
      case LaunchMessageKind::kMounted:
        Mark("mounts", message.at_us);
        parts().scratch = std::move(fds[0]);
        parts().workspace = std::move(fds[1]);
        return plan_->expects_files ? SendFiles() : Expected<void>();
      case LaunchMessageKind::kTerminal:
        return TakeTerminal(std::move(fds[0]));
      case LaunchMessageKind::kListener:
        Mark("drop_privileges", message.at_us);
        parts().started_at_us = message.at_us;
        if (fds[0].valid()) parts().listener.emplace(std::move(fds[0]));
        if (parts().listener && parts().egress.valid()) parts().listener->LetLoopbackThrough();
        return {};
      case LaunchMessageKind::kCloned:
        break;  // of a cell alone
      case LaunchMessageKind::kFailed:
        return StepError(message, spec_);
    }
    return Fail(ErrorCode::kInternal, "the sandbox's start was garbled");
  }

  // One descriptor for both ways, as two: each is closed on its own.
  Expected<void> TakeTerminal(UniqueFd terminal) {
    UniqueFd in(spec_.stdin_pipe ? fcntl(terminal.get(), F_DUPFD_CLOEXEC, 0) : -1);
    if ((spec_.stdin_pipe && !in.valid()) || fcntl(terminal.get(), F_SETFL, O_NONBLOCK) != 0)
      return FailErrno(ErrorCode::kInternal, "cannot set up the terminal", "fcntl");
    CopyWindowSize(spec_.terminal->size_fd, terminal.get());
    parts().channels[static_cast<std::size_t>(Channel::kStdin)] = std::move(in);
    parts().channels[static_cast<std::size_t>(Channel::kStdout)] = std::move(terminal);
    return {};
  }

  Expected<void> SendFiles() {
    auto done = SendGivenFiles(spec_, ends_.ours.get());
    if (done) Mark("files");
    return done;
  }

  const LaunchSpec& spec_;
  const Host& host_;
  const ZygoteLaunch* zygote_;  // null for a program
  IdSource ids_;
  std::int64_t start_us_;
  std::unique_ptr<ContainerSandbox> sandbox_ = std::make_unique<ContainerSandbox>();
  std::vector<SecretValue> secret_variables_;  // the plan points into them
  std::unique_ptr<ConfinementPlan> plan_;
  ChannelEnds ends_;
  UniqueFd init_binary_;
};

}  // namespace

Expected<std::unique_ptr<ContainerSandbox>> LaunchContainer(const LaunchSpec& spec, const Host& host) {
  return Launcher(spec, host, nullptr).Run();
}

Expected<std::unique_ptr<ContainerSandbox>> LaunchZygote(const LaunchSpec& spec, const Host& host,
                                                         const ZygoteLaunch& zygote) {
  return Launcher(spec, host, &zygote).Run();
}

}  // namespace casemate::container
