// The agent enters the cgroups first, so that the files which it copies are the branch's own memory; then the
// origin's user namespace, where alone the branch's id maps may be written (user_namespaces(7)); then the
// branch. A new /proc shows the pid namespace of whoever mounts it, so that is done by a child of its own.
//
// The old mounts stay below the new ones: they are the origin's, in a mount namespace that has been copied by
// a less privileged user, and so cannot be taken away (mount_namespaces(7)). Nothing leads to them but
// descriptors and working folders, which branching.cc looks at.
#include "isolation/container/branch_agent.h"

#include <fcntl.h>
#include <fmt/compile.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor_message.h"
#include "base/errno.h"
#include "confine/id_pool.h"
#include "confine/privileges.h"
#include "confine/program_plan.h"
#include "confine/root.h"
#include "confine/steps.h"
#include "confine/syscalls.h"
#include "confine/tree_copy.h"

namespace casemate::container {
namespace {

constexpr int kUnknown = 255;
constexpr uid_t kInitId = 0;  // inside

// Made before the fork, so that nothing is allocated after it.
struct Task {
  int socket = -1;
  pid_t engine = -1;
  std::vector<int> tasks;
  std::vector<int> keep;               // ascending
  std::array<ScratchPlan, 2> scratch;  // with a host folder as the workspace, and with its own
  std::string map;                     // of both ids
  std::string single_map;
};

// What Begin() sends.
struct Message {
  pid_t init = -1;
  bool change_ids = true;
  bool own_workspace = true;
  std::array<char, 128> scratch_options{};
};
enum OrderFd : std::size_t { kPidfd, kUserNamespace, kScratch, kOrderFds };

[[noreturn]] void Leave(int err) { _exit(err > 0 && err < kUnknown ? err : kUnknown); }

void Require(bool done) {
  if (!done) Leave(errno);
}

// Async-signal-safe as all of the agent: it is a fork of a process with threads.
void WriteTo(pid_t process, const char* file, std::string_view text) {
  std::array<char, 64> path{};
  *fmt::format_to_n(path.data(), path.size() - 1, FMT_COMPILE("/proc/{}/{}"), process, file).out = 0;
  const int fd = open(path.data(), O_WRONLY | O_CLOEXEC);
  Require(fd >= 0);
  Require(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(fd);
}

// The copy is to be pid 2, as a cell's program is, and the child that mounts has had that number.
void MountProcFor(int pidfd, int last_pid) {
  Require(setns(pidfd, CLONE_NEWPID) == 0);
  // A fork would copy the engine's page tables. The child calls the kernel alone, and ends.
  // NOLINTBEGIN(bugprone-unsafe-functions,cert-msc24-c,cert-msc33-c,clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork)
  const pid_t child = vfork();
  Require(child >= 0);
  if (child == 0) {
    const int err = MountProc(kProcOptions).err;
    _exit(err != 0 ? err : write(last_pid, "1", 1) == 1 ? 0 : errno);
  }
  // NOLINTEND(bugprone-unsafe-functions,cert-msc24-c,cert-msc33-c,clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork)
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) Leave(WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

void WriteIds(const Task& task, const Message& message) {
  const std::string& map = message.change_ids ? task.map : task.single_map;
  if (!message.change_ids) WriteTo(message.init, "setgroups", "deny");
  WriteTo(message.init, "gid_map", map);
  WriteTo(message.init, "uid_map", map);
}

[[noreturn]] void RunAgent(Task& task) {
  CloseAllBut(task.keep);
  Require(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0);
  if (getppid() != task.engine) Leave(EPIPE);
  const int last_pid = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
  Require(last_pid >= 0);
  if (const int failed = EnterCgroups(task.tasks); failed != 0) Leave(-failed);
  Message message;
  std::array<int, kOrderFds> fds{};
  std::size_t count = 0;
  const ssize_t got =
      ReceiveDescriptors(task.socket, std::as_writable_bytes(std::span(&message, 1)), fds, count);
  if (got != sizeof(message) || count != fds.size()) Leave(EPIPE);
  Require(setns(fds[kUserNamespace], CLONE_NEWUSER) == 0);
  WriteIds(task, message);
  Require(setns(fds[kPidfd], CLONE_NEWUSER | CLONE_NEWNS) == 0);
  // A file's owner must be one of this namespace.
  if (message.change_ids && TakeIds(kInitId, true) != 0) Leave(EPERM);
  umask(0);
  Require(chdir("/") == 0);
  const int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Require(root >= 0);
  RootHandles handles;
  ScratchPlan& scratch = task.scratch[message.own_workspace ? 1 : 0];
  scratch.options = message.scratch_options.data();
  if (const StepResult done = MountScratch(root, scratch, kProgramId, handles); done.err != 0)
    Leave(done.err);
  MountProcFor(fds[kPidfd], last_pid);
  if (const int failed = CopyTree(fds[kScratch], handles.scratch); failed != 0) Leave(-failed);
  handles.workspace = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Require(handles.workspace >= 0);
  const std::array<int, 2> made{handles.scratch, handles.workspace};
  constexpr std::array kByte = {std::byte{'b'}};
  _exit(SendDescriptors(task.socket, kByte, made) == 0 ? 0 : kUnknown);
}

}  // namespace

std::unexpected<Error> NoRoomForCopies(const char* call) {
  return FailErrno(ErrorCode::kUnavailable,
                   "the session's limit of processes has no room for its copies, of which each is two "
                   "until it goes on: fork fewer at once, or open the session with more processes",
                   call, EAGAIN);
}

Expected<BranchAgent> BranchAgent::Start(std::span<const UniqueFd> tasks) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  BranchAgent agent;
  agent.socket_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  Task task;
  task.socket = theirs.get();
  task.engine = getpid();
  for (const UniqueFd& fd : tasks) task.tasks.push_back(fd.get());
  task.keep = task.tasks;
  task.keep.push_back(theirs.get());
  std::ranges::sort(task.keep);
  for (const bool own : {false, true}) {
    ScratchPlan& scratch = task.scratch[own ? 1 : 0];
    scratch = PlanScratch(Limits(), own, true);
    scratch.options.reserve(sizeof(Message::scratch_options));
  }
  task.single_map = fmt::format("{0} {0} 1\n", kProgramId);
  task.map = "0 0 1\n" + task.single_map;
  const pid_t process = ForkAlone();
  if (process < 0) return FailErrno(ErrorCode::kInternal, "cannot prepare a branch", "clone");
  if (process == 0) RunAgent(task);
  agent.process_ = process;
  return agent;
}

bool BranchAgent::IsReady() const {
  pollfd gone{socket_.get(), 0, 0};
  return process_ > 0 && poll(&gone, 1, 0) == 0;
}

Expected<void> BranchAgent::Begin(const BranchOrder& order) {
  Message message;
  message.init = order.init;
  message.change_ids = order.change_ids;
  message.own_workspace = order.own_workspace;
  const std::string options = PlanScratch(order.limits, order.own_workspace, true).options;
  if (options.size() >= message.scratch_options.size())
    return Fail(ErrorCode::kInternal, "cannot prepare a branch", "its mount options are too long");
  std::ranges::copy(options, message.scratch_options.begin());
  const std::array fds{order.init_pidfd, order.origin_user_namespace, order.origin_scratch};
  const int failed = SendDescriptors(socket_.get(), std::as_bytes(std::span(&message, 1)), fds);
  if (failed != 0) return FailErrno(ErrorCode::kInternal, "cannot prepare a branch", "sendmsg", -failed);
  return {};
}

Expected<BranchFiles> BranchAgent::Finish() {
  std::array<std::byte, 1> byte{};
  std::array<int, 2> fds{-1, -1};
  std::size_t count = 0;
  const ssize_t got = ReceiveDescriptors(socket_.get(), byte, fds, count);
  BranchFiles files{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (got == 1 && count == fds.size()) return files;
  const int status = End(false);
  const int err = WIFEXITED(status) ? WEXITSTATUS(status) : kUnknown;
  if (err == ENOSPC || err == ELOOP) {
    return Fail(ErrorCode::kUnavailable,
                "the session's files could not be copied: they are too many, too large or too deeply nested; "
                "remove some");
  }
  // Its child that mounts /proc is one of the session's processes, where no cgroup counts them.
  if (err == EAGAIN) return NoRoomForCopies("branch agent");
  return FailErrno(ErrorCode::kInternal, "cannot prepare a branch", "branch agent",
                   err != 0 ? err : kUnknown);
}

int BranchAgent::End(bool kill_it) {
  int status = 0;
  const pid_t process = std::exchange(process_, -1);
  if (process <= 0) return status;
  if (kill_it) kill(process, SIGKILL);
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace casemate::container
