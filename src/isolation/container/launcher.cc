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
#include "base/errno.h"
#include "base/file.h"
#include "confine/apply.h"
#include "confine/file_stream.h"
#include "confine/init_binary.h"
#include "confine/launch_step.h"
#include "confine/root.h"
#include "confine/syscalls.h"
#include "isolation/container/host_mounts.h"
#include "isolation/container/workspace_copy.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kLaunchTimeoutMs = 10'000;
// What apply.cc parks descriptors above, and some room.
constexpr rlim_t kDescriptorsNeeded = 2100;

struct PipePair {
  UniqueFd read_end;
  UniqueFd write_end;
};

Expected<PipePair> MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "pipe2");
  }
  return PipePair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// The program inherits descriptors by number up to kResultFd, and the child parks its own above that.
Expected<void> RaiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= kDescriptorsNeeded) return {};
  if (limit.rlim_max < kDescriptorsNeeded) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("the hard limit of open files is {}, a sandbox needs {}; raise it with ulimit -Hn",
                    limit.rlim_max, kDescriptorsNeeded));
  }
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2 * kDescriptorsNeeded);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return FailErrno(ErrorCode::kUnavailable, "cannot raise the limit of open files", "setrlimit");
  }
  return {};
}

// Why clone3 failed, with what to do about it.
std::unexpected<Error> CloneError(int err) {
  std::string remedy = "run `casemate doctor`";
  if (ReadKernelNumber("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    remedy =
        "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or install Casemate's AppArmor "
        "profile";
  } else if (ReadKernelNumber("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    remedy = "as root: sysctl -w kernel.unprivileged_userns_clone=1";
  } else if (err == ENOSPC || err == EUSERS) {
    remedy = "as root: sysctl -w user.max_user_namespaces=15000";
  } else if (err == EAGAIN) {
    remedy = "this user or cgroup has too many processes; raise ulimit -u or pids.max";
  }
  return FailErrno(ErrorCode::kUnavailable,
                   "this host does not let this user make the sandbox's namespaces; " + remedy, "clone3",
                   err);
}

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
  Launcher(const LaunchSpec& spec, const Host& host)
      : spec_(spec), host_(host), ids_(IdsFor(host, spec.policy)), start_us_(MonotonicUs()) {}

  Expected<std::unique_ptr<ContainerSandbox>> Run() {
    for (auto step : {&Launcher::Prepare, &Launcher::MakeChannels, &Launcher::Clone, &Launcher::GiveIds,
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
    for (auto more = Receive(message, fds, MSG_DONTWAIT); more && *more;
         more = Receive(message, fds, MSG_DONTWAIT)) {
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
    if (auto raised = RaiseDescriptorLimit(); !raised) return raised;
    auto plan = MakePlan(spec_, host_, ids_);
    if (!plan) return std::unexpected(plan.error());
    plan_ = *std::move(plan);
    auto lease = LeaseIds(ids_, host_.lock_folder);
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

  // A pipe for one channel; the program's end becomes `number` inside.
  Expected<void> AddChannel(Channel channel, int number, bool program_reads) {
    auto pipe = MakePipe();
    if (!pipe) return std::unexpected(pipe.error());
    UniqueFd& inside = program_reads ? pipe->read_end : pipe->write_end;
    UniqueFd& outside = program_reads ? pipe->write_end : pipe->read_end;
    // The program is another user to the kernel: without this it could not open its own /dev/stdout. Only
    // processes that hold the pipe have a path to it.
    if (fcntl(outside.get(), F_SETFL, O_NONBLOCK) != 0 || fchmod(inside.get(), 0666) != 0) {
      return FailErrno(ErrorCode::kInternal, "cannot set up a pipe", "fcntl");
    }
    plan_->descriptors.push_back({inside.get(), number});
    child_fds_.push_back(std::move(inside));
    parts().channels[static_cast<std::size_t>(channel)] = std::move(outside);
    return {};
  }

  Expected<void> MakeChannels() {
    Expected<void> done = AddChannel(Channel::kStdin, STDIN_FILENO, true);
    if (done && !spec_.stdin_pipe) sandbox_->CloseChannel(Channel::kStdin);
    if (done) done = AddChannel(Channel::kStdout, STDOUT_FILENO, false);
    if (done) done = AddChannel(Channel::kStderr, STDERR_FILENO, false);
    if (done && spec_.control_channel) done = AddChannel(Channel::kRequest, kRequestFd, true);
    if (done && spec_.control_channel) done = AddChannel(Channel::kResult, kResultFd, false);
    if (!done) return done;
    auto lifeline = MakePipe();
    auto status = MakePipe();
    std::array<int, 2> ends{};
    if (!lifeline || !status || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                       "pipe2");
    }
    socket_.reset(ends[0]);
    // After init's end its status is there or never comes; and files go in within the launch's own time.
    const timeval patience{kLaunchTimeoutMs / 1000, 0};
    if (fcntl(status->read_end.get(), F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
      return FailErrno(ErrorCode::kInternal, "cannot set up the launch socket", "setsockopt");
    }
    parts().lifeline = std::move(lifeline->write_end);
    parts().exit_status = std::move(status->read_end);
    plan_->socket = ends[1];
    plan_->lifeline = lifeline->read_end.get();
    plan_->exit_status = status->write_end.get();
    child_fds_.emplace_back(ends[1]);
    child_fds_.push_back(std::move(lifeline->read_end));
    child_fds_.push_back(std::move(status->write_end));
    return {};
  }

  void ListDescriptorsToKeep() {
    std::vector<int>& keep = plan_->keep;
    keep = {plan_->socket, plan_->lifeline, plan_->exit_status, plan_->init_binary};
    for (const DescriptorMove& move : plan_->descriptors) keep.push_back(move.from);
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
    if (pid < 0) return CloneError(errno);
    if (pid == 0) RunInit(*plan_);
    parts().init = pid;
    parts().pidfd.reset(pidfd);
    child_fds_.clear();
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
    if (auto written = WriteIdMaps(parts().init, ids_, parts().ids); !written) return written;
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
    const std::vector<UniqueFd>& entrances = parts().cgroup->task_fds();
    const std::size_t bytes = entrances.size() * sizeof(int);
    LaunchGo go;
    go.cgroups = static_cast<std::uint8_t>(entrances.size());
    iovec part{&go, sizeof(go)};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kLaunchCgroupsMax * sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!entrances.empty()) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(bytes);
      cmsghdr* attached = CMSG_FIRSTHDR(&header);
      attached->cmsg_level = SOL_SOCKET;
      attached->cmsg_type = SCM_RIGHTS;
      attached->cmsg_len = CMSG_LEN(bytes);
      for (std::size_t i = 0; i < entrances.size(); ++i) {
        const int fd = entrances[i].get();
        std::memcpy(CMSG_DATA(attached) + i * sizeof(int), &fd, sizeof(fd));
      }
    }
    if (sendmsg(socket_.get(), &header, MSG_NOSIGNAL) == sizeof(go)) return {};
    return FailErrno(ErrorCode::kInternal, "the sandbox died while it started", "sendmsg");
  }

  Expected<void> Converse() {
    const Deadline deadline = Deadline::After(kLaunchTimeoutMs);
    for (;;) {
      pollfd ready{socket_.get(), POLLIN, 0};
      const int count = poll(&ready, 1, static_cast<int>(deadline.RemainingMs()));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return Fail(ErrorCode::kInternal, "the sandbox did not start within ten seconds");
      LaunchMessage message{};
      std::array<UniqueFd, 2> fds;
      auto more = Receive(message, fds);
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      if (auto done = Take(message, fds); !done) return done;
    }
    if (!parts().listener) return Fail(ErrorCode::kInternal, "the sandbox died while it started");
    Mark("exec");
    return {};
  }

  // False at the end of the conversation.
  Expected<bool> Receive(LaunchMessage& message, std::array<UniqueFd, 2>& fds, int flags = 0) {
    iovec part{&message, sizeof(message)};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t count = 0;
    do {
      count = recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC | flags);
    } while (count < 0 && errno == EINTR);
    if (count == 0) return false;
    if (count < 0 && errno == ECONNRESET) return false;
    if (count != sizeof(message))
      return FailErrno(ErrorCode::kInternal, "the sandbox's start was garbled", "recvmsg");
    const cmsghdr* attached = CMSG_FIRSTHDR(&header);
    if (attached != nullptr && attached->cmsg_type == SCM_RIGHTS) {
      const std::size_t fd_count = (attached->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      std::array<int, 2> numbers{-1, -1};
      std::memcpy(numbers.data(), CMSG_DATA(attached), fd_count * sizeof(int));
      for (std::size_t i = 0; i < fd_count; ++i) fds[i].reset(numbers[i]);
    }
    return true;
  }

  Expected<void> Take(const LaunchMessage& message, std::array<UniqueFd, 2>& fds) {
    switch (message.kind) {
      case LaunchMessageKind::kReady:
        return {};
      case LaunchMessageKind::kMounted:
        Mark("mounts", message.at_us);
        parts().scratch = std::move(fds[0]);
        parts().workspace = std::move(fds[1]);
        return plan_->expects_files ? SendFiles() : Expected<void>();
      case LaunchMessageKind::kListener:
        Mark("drop_privileges", message.at_us);
        parts().started_at_us = message.at_us;
        parts().listener.emplace(std::move(fds[0]));
        return {};
      case LaunchMessageKind::kFailed:
        return StepError(message, spec_);
    }
    return Fail(ErrorCode::kInternal, "the sandbox's start was garbled");
  }

  Expected<void> SendFiles() {
    FileStreamWriter writer(socket_.get());
    Expected<void> done;
    if (spec_.workspace && spec_.workspace->mode == WorkspaceMode::kCopy) {
      done = CopyWorkspace(spec_.workspace->host_path, spec_.policy.limits, writer);
    }
    for (const InputFile& file : spec_.files) {
      if (done) done = writer.File(file.name, false, file.bytes);
    }
    if (done) done = writer.End();
    if (done) Mark("files");
    return done;
  }

  const LaunchSpec& spec_;
  const Host& host_;
  IdSource ids_;
  std::int64_t start_us_;
  std::unique_ptr<ContainerSandbox> sandbox_ = std::make_unique<ContainerSandbox>();
  std::unique_ptr<ConfinementPlan> plan_;
  std::vector<UniqueFd> child_fds_;
  UniqueFd init_binary_;
  UniqueFd socket_;
};

}  // namespace

Expected<std::unique_ptr<ContainerSandbox>> LaunchContainer(const LaunchSpec& spec, const Host& host) {
  return Launcher(spec, host).Run();
}

}  // namespace casemate::container
