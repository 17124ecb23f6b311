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

struct Task {
  const BranchOrder& order;
  int socket;
  pid_t engine;
  std::vector<int> keep;  // ascending
  std::string map;
};

// What Begin() sends, with the pidfd attached.
struct Branch {
  pid_t init = -1;
};

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

[[noreturn]] void RunAgent(const Task& task) {
  const BranchOrder& order = task.order;
  CloseAllBut(task.keep);
  Require(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0);
  if (getppid() != task.engine) Leave(EPIPE);
  const int last_pid = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
  Require(last_pid >= 0);
  if (const int failed = EnterCgroups(order.tasks); failed != 0) Leave(-failed);
  Require(setns(order.origin_user_namespace, CLONE_NEWUSER) == 0);
  Branch branch;
  int pidfd = -1;
  std::size_t count = 0;
  const ssize_t got =
      ReceiveDescriptors(task.socket, std::as_writable_bytes(std::span(&branch, 1)), {&pidfd, 1}, count);
  if (got != sizeof(branch) || count != 1) Leave(EPIPE);
  if (!order.change_ids) WriteTo(branch.init, "setgroups", "deny");
  WriteTo(branch.init, "gid_map", task.map);
  WriteTo(branch.init, "uid_map", task.map);
  Require(setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) == 0);
  // A file's owner must be one of this namespace.
  if (order.change_ids && TakeIds(kInitId, true) != 0) Leave(EPERM);
  umask(0);
  Require(chdir("/") == 0);
  const int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Require(root >= 0);
  RootHandles handles;
  if (const StepResult done = MountScratch(root, *order.scratch, kProgramId, handles); done.err != 0)
    Leave(done.err);
  MountProcFor(pidfd, last_pid);
  if (const int failed = CopyTree(order.origin_scratch, handles.scratch); failed != 0) Leave(-failed);
  handles.workspace = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Require(handles.workspace >= 0);
  const std::array<int, 2> fds{handles.scratch, handles.workspace};
  constexpr std::array kByte = {std::byte{'b'}};
  _exit(SendDescriptors(task.socket, kByte, fds) == 0 ? 0 : kUnknown);
}

}  // namespace

Expected<BranchAgent> BranchAgent::Start(const BranchOrder& order) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  BranchAgent agent;
  agent.socket_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  const std::string own = fmt::format("{0} {0} 1\n", kProgramId);
  Task task{order,
            theirs.get(),
            getpid(),
            {theirs.get(), order.origin_user_namespace, order.origin_scratch},
            order.change_ids ? "0 0 1\n" + own : own};
  task.keep.insert(task.keep.end(), order.tasks.begin(), order.tasks.end());
  std::ranges::sort(task.keep);
  const pid_t process = ForkAlone();
  if (process < 0) return FailErrno(ErrorCode::kInternal, "cannot prepare a branch", "clone");
  if (process == 0) RunAgent(task);
  agent.process_ = process;
  return agent;
}

Expected<void> BranchAgent::Begin(pid_t init, int init_pidfd) {
  const Branch branch{init};
  const int failed = SendDescriptors(socket_.get(), std::as_bytes(std::span(&branch, 1)), {&init_pidfd, 1});
  if (failed != 0) return FailErrno(ErrorCode::kInternal, "cannot prepare a branch", "sendmsg", -failed);
  return {};
}

Expected<BranchFiles> BranchAgent::Finish() {
  std::array<std::byte, 1> byte{};
  std::array<int, 2> fds{-1, -1};
  std::size_t count = 0;
  const ssize_t got = ReceiveDescriptors(socket_.get(), byte, fds, count);
  BranchFiles files{UniqueFd(fds[0]), UniqueFd(fds[1])};
  const int status = End(false);
  const int err = WIFEXITED(status) ? WEXITSTATUS(status) : kUnknown;
  if (err == ENOSPC || err == ELOOP) {
    return Fail(ErrorCode::kUnavailable,
                "the session's files could not be copied: they are too many, too large or too deeply nested; "
                "remove some");
  }
  if (err != 0) return FailErrno(ErrorCode::kInternal, "cannot prepare a branch", "branch agent", err);
  if (got != 1 || count != fds.size()) return Fail(ErrorCode::kInternal, "cannot prepare a branch");
  return files;
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
