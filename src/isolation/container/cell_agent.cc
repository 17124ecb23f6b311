#include "isolation/container/cell_agent.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/unique_fd.h"
#include "confine/egress_socket.h"
#include "confine/file_stream.h"
#include "confine/id_pool.h"
#include "confine/privileges.h"
#include "confine/root.h"
#include "confine/syscalls.h"

namespace casemate::container {
namespace {

// ---- The agent: no allocation, no lock; it was forked from a process that has threads. ----

// Its exit codes: 0 or the errno of what failed, as far as a byte holds it.
constexpr int kUnknown = 255;
constexpr uid_t kInitId = 0;  // inside

void Require(long result) {
  if (result < 0) _exit(errno > 0 && errno < kUnknown ? errno : kUnknown);
}

void ResizeScratch(const CellChanges& changes) {
  const auto picked = static_cast<int>(syscall(SYS_fspick, AT_FDCWD, "/tmp", FSPICK_CLOEXEC));
  Require(picked);
  Require(syscall(SYS_fsconfig, picked, FSCONFIG_SET_STRING, "size", changes.scratch_size.c_str(), 0));
  Require(syscall(SYS_fsconfig, picked, FSCONFIG_SET_STRING, "nr_inodes", changes.scratch_inodes.c_str(), 0));
  Require(syscall(SYS_fsconfig, picked, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0));
  close(picked);
}

struct Task {
  int pidfd;
  int workspace;
  int socket;
  bool change_ids;
  const CellChanges& changes;
  pid_t engine;
  std::vector<int> keep;  // ascending
};

void OpenEgress(const Task& task) {
  const int listener = ListenOnLoopback(task.changes.egress_port);
  if (listener < 0) _exit(std::min(-listener, kUnknown));
  const std::byte byte{};
  if (SendDescriptors(task.socket, {&byte, 1}, {&listener, 1}) != 0) _exit(kUnknown);
  close(listener);
}

[[noreturn]] void RunAgent(const Task& task) {
  CloseAllBut(task.keep);
  Require(
      setns(task.pidfd, CLONE_NEWUSER | CLONE_NEWNS | (task.changes.egress_port != 0 ? CLONE_NEWNET : 0)));
  Require(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
  if (getppid() != task.engine) _exit(kUnknown);
  if (task.changes.egress_port != 0) OpenEgress(task);
  if (!task.changes.scratch_size.empty()) ResizeScratch(task.changes);
  for (const BindMount* bind : task.changes.binds) {
    Require(chdir("/"));
    Require(MoveMount(bind->tree.get(), "", AT_FDCWD, bind->target.c_str(), MOVE_MOUNT_F_EMPTY_PATH));
  }
  if (!task.changes.secrets.empty()) {
    Require(chdir("/"));
    // A file's owner must be one of this namespace.
    if (task.change_ids && TakeIds(kInitId, true) != 0) _exit(kUnknown);
    const StepResult done = MountSecrets(task.changes.secrets, kProgramId);
    if (done.err != 0) _exit(std::min(done.err, kUnknown));
  }
  if (!task.changes.expects_files) _exit(0);
  if (task.change_ids && TakeIds(kProgramId, true) != 0) _exit(kUnknown);
  if (DropCapabilities() != 0) _exit(kUnknown);
  const int received = ReceiveFiles(task.socket, task.workspace, kProgramId);
  _exit(received == 0 ? 0 : std::min(-received, kUnknown));
}

// Not valid when the agent has failed, which its exit tells.
UniqueFd ReceiveEgress(int socket) {
  std::array<std::byte, 1> byte{};
  int listener = -1;
  std::size_t count = 0;
  if (ReceiveDescriptors(socket, byte, {&listener, 1}, count) != 1 || count != 1) return UniqueFd();
  return UniqueFd(listener);
}

}  // namespace

Expected<UniqueFd> ChangeCell(int pidfd, int workspace, bool change_ids, const CellChanges& changes,
                              const std::function<Expected<void>(int socket)>& send_files) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  Task task{pidfd, workspace, theirs.get(), change_ids, changes, getpid(), {pidfd, workspace, theirs.get()}};
  for (const BindMount* bind : changes.binds) task.keep.push_back(bind->tree.get());
  std::ranges::sort(task.keep);
  const pid_t agent = ForkAlone();
  if (agent < 0) return FailErrno(ErrorCode::kInternal, "cannot prepare the cell", "clone");
  if (agent == 0) RunAgent(task);
  theirs.reset();
  UniqueFd egress;
  if (changes.egress_port != 0) egress = ReceiveEgress(ours.get());
  Expected<void> sent;
  if (changes.expects_files) sent = send_files(ours.get());
  ours.reset();
  int status = 0;
  while (waitpid(agent, &status, 0) < 0 && errno == EINTR) {
  }
  const int err = WIFEXITED(status) ? WEXITSTATUS(status) : kUnknown;
  if (err == ENOSPC) {
    return Fail(ErrorCode::kInvalidRequest,
                "the input files do not fit into the sandbox; give it more with --tmp-size");
  }
  if (err != 0) return FailErrno(ErrorCode::kInternal, "cannot prepare the cell", "cell agent", err);
  if (!sent) return std::unexpected(sent.error());
  return egress;
}

}  // namespace casemate::container
