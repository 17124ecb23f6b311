// Theory of operation: three processes make a cell, and the zygote's memory is copied once.
//
//   zygote   clone(CLONE_VM | CLONE_VFORK), sleeps until the usher is gone
//   usher     1  cgroups                 before anything is allocated, so that all of it is charged
//             2  user and network namespace, made ahead by the engine and used by one cell at a time
//             3  clone(CLONE_VM | CLONE_VFORK | pid, mount, ipc, uts, cgroup namespaces), sleeps
//   init      4  its user id, parent of all that follows; pid 1
//             5  /tmp, /dev/shm, /workspace and /code from one tmpfs; /proc; host name
//             6  fork                    the only copy of the zygote's page tables
//             7  exec the reaper         wakes the usher, which reports a pidfd and ends, which wakes the
//             zygote
//   cell      8  session, keyring, descriptors; its limits are the zygote's until it has a program
//             9  bounding set, ids, capability sets, no_new_privs, then proof that all is gone
//            10  seccomp, hand its listener to the engine
//            11  back into the interpreter, to wait for its program
//            12  SealCell: the program's text, its limits, Landlock
//
// The usher and init run on stacks of their own in the zygote's memory, which sleeps meanwhile: they may
// write nothing there but what their last words need. The C library's fork() is used in step 6, so that its
// own state and that of libraries (pthread_atfork(3)) is right in the cell.
#include "confine/cell.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

#include "confine/landlock.h"
#include "confine/privileges.h"
#include "confine/seccomp_filter.h"
#include "confine/steps.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

constexpr std::size_t kStackBytes = 64 * std::size_t{1024};
// Above the descriptors that a program may have, with kRequestFd and kResultFd.
constexpr int kCodeFolderFd = 1102;
constexpr std::size_t kMovesMax = 8;

struct Birth {
  const CellPlan& plan;
  const CellOrder& order;
  CellHandles& handles;
  jmp_buf back{};
};

alignas(16) std::array<std::byte, kStackBytes> usher_stack;
alignas(16) std::array<std::byte, kStackBytes> init_stack;

void DropPower(const CellPlan& plan, int socket) {
  Require(socket, LaunchStep::kBoundingSet, DropBoundingSet());
  if (plan.ids.change_ids) {
    Require(socket, LaunchStep::kDropIds, TakeIds(plan.ids.program_uid, plan.ids.clear_groups));
  }
  Require(socket, LaunchStep::kDropCapabilities, DropCapabilities());
  Require(socket, LaunchStep::kNoNewPrivileges, SetNoNewPrivileges());
  Require(socket, LaunchStep::kVerify, VerifyPrivilegesGone(plan.ids.program_uid, plan.ids.program_uid));
}

// Empty, but with its first page: who waits for the program's start is not to wait for these. A file system
// that cannot reserve a page has none to spare later either.
int MakeCodeFile() {
  constexpr off_t kPage = 4096;
  const int file =
      openat(kCodeFolderFd, kCellCodeName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
  if (file < 0 || fallocate(file, FALLOC_FL_KEEP_SIZE, 0, kPage) != 0) return -errno;
  return file;
}

void BecomeCell(Birth& birth, int code_folder) {
  int socket = birth.order.socket;
  std::array<DescriptorMove, kMovesMax> moves{};
  std::size_t count = 0;
  for (const DescriptorMove& move : birth.order.channels) moves[count++] = move;
  moves[count++] = {code_folder, kCodeFolderFd};
  Require(socket, LaunchStep::kSession, NewSession());
  Require(socket, LaunchStep::kDescriptors, PlaceDescriptors(std::span(moves).first(count), socket));
  DropPower(birth.plan, socket);
  const int listener = InstallSeccompFilter(birth.plan.seccomp, true);
  Require(socket, LaunchStep::kSeccomp, listener);
  Require(socket, LaunchStep::kReportListener, Send(socket, LaunchMessageKind::kListener, {}, &listener, 1));
  close(listener);
  // As after an exec: the program's own /proc files belong to it. Nobody else has its ids or sees its pid.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const int landlock = PrepareLandlock(birth.plan.landlock);
  if (landlock < 0 && birth.plan.landlock.abi > 0) GiveUp(socket, LaunchStep::kLandlock, -landlock);
  const int code_file = MakeCodeFile();
  Require(socket, LaunchStep::kScratch, code_file);
  birth.handles = {socket, kCodeFolderFd, code_file, landlock};
}

void MountOwnFiles(const CellPlan& plan, int socket, RootHandles& handles) {
  umask(0);
  const int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Require(socket, LaunchStep::kNewRoot, root < 0 ? -errno : 0);
  Require(socket, MountScratch(root, plan.scratch, plan.ids.program_uid, handles));
  Require(socket, MountProc(plan.proc_options.c_str()));
  close(root);
  umask(022);
  handles.workspace = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Require(socket, LaunchStep::kWorkingDir, handles.workspace < 0 ? -errno : 0);
  Require(socket, LaunchStep::kHostName,
          ErrnoUnlessZero(sethostname(plan.host_name.data(), plan.host_name.size())));
}

int RunCellInit(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  const CellPlan& plan = birth.plan;
  const CellOrder& order = birth.order;
  const int socket = order.socket;
  if (plan.ids.change_ids)
    Require(socket, LaunchStep::kSetIds, TakeIds(plan.ids.init_uid, plan.ids.clear_groups));
  Require(socket, LaunchStep::kWorkingDir, ErrnoUnlessZero(chdir("/")));
  RootHandles handles;
  MountOwnFiles(plan, socket, handles);
  const std::array<int, 2> fds{handles.scratch, handles.workspace};
  Require(socket, LaunchStep::kScratch,
          Send(socket, LaunchMessageKind::kMounted, {}, fds.data(), fds.size()));
  const int code_folder = openat(handles.scratch, "code", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Require(socket, LaunchStep::kWorkingDir, code_folder < 0 ? -errno : 0);
  Require(socket, LaunchStep::kWorkingDir, ErrnoUnlessZero(chdir("/workspace")));
  const pid_t cell = fork();
  if (cell < 0) GiveUp(socket, LaunchStep::kForkProgram, errno);
  if (cell == 0) {
    BecomeCell(birth, code_folder);
    longjmp(birth.back, 1);  // NOLINT(cert-err52-cpp): back onto the interpreter's own stack
  }
  BecomeReaper({order.lifeline, order.exit_status, plan.init_binary, false});
}

int RunUsher(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  const CellOrder& order = birth.order;
  const int socket = order.socket;
  Require(socket, LaunchStep::kEnterCgroup, EnterCgroups(order.cgroup_tasks));
  Require(socket, LaunchStep::kEnterNamespaces, ErrnoUnlessZero(setns(order.user_namespace, CLONE_NEWUSER)));
  Require(socket, LaunchStep::kEnterNamespaces,
          ErrnoUnlessZero(setns(order.network_namespace, CLONE_NEWNET)));
  constexpr int kFlags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC |
                         CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
  int pidfd = -1;
  const int init = clone(RunCellInit, init_stack.data() + init_stack.size(), kFlags, argument, &pidfd);
  Require(socket, LaunchStep::kForkCell, init < 0 ? -errno : 0);
  (void)Send(socket, LaunchMessageKind::kCloned, {}, &pidfd, 1);
  _exit(0);
}

}  // namespace

bool ForkCell(const CellPlan& plan, const CellOrder& order, CellHandles& handles) {
  Birth birth{plan, order, handles};
  // NOLINTNEXTLINE(cert-err52-cpp): the only way from another stack back to this one
  if (setjmp(birth.back) != 0) return true;
  const int usher =
      clone(RunUsher, usher_stack.data() + usher_stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);
  if (usher < 0) {
    (void)Send(order.socket, LaunchMessageKind::kFailed, {LaunchStep::kForkCell, errno}, nullptr, 0);
    return false;
  }
  while (waitpid(usher, nullptr, 0) < 0 && errno == EINTR) {
  }
  return false;
}

int SealCell(const CellPlan& plan, const CellSeal& seal, CellHandles& handles) {
  if (std::string_view(seal.code_name) != kCellCodeName &&
      renameat(handles.code_folder, kCellCodeName, handles.code_folder, seal.code_name) != 0) {
    return -errno;
  }
  std::string_view left = seal.code;
  while (!left.empty()) {
    const ssize_t count = write(handles.code_file, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  close(handles.code_file);
  close(handles.code_folder);
  handles.code_file = -1;
  handles.code_folder = -1;
  // Again: a workspace of the host was mounted there since.
  if (seal.writable != nullptr && chdir("/workspace") != 0) return -errno;
  int failed = 0;
  if (seal.writable != nullptr || seal.connects) {
    close(handles.landlock);
    failed = RestrictWithLandlock({plan.landlock.abi,
                                   seal.writable != nullptr ? *seal.writable : plan.landlock.writable,
                                   {},
                                   seal.connects});
  } else if (plan.landlock.abi > 0) {
    failed = RestrictWith(handles.landlock, plan.landlock.abi);
  }
  if (failed != 0) return failed;
  return SetResourceLimits(seal.limits);
}

}  // namespace casemate
