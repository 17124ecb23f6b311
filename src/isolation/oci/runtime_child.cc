// Theory of operation: what is between the engine and an OCI runtime.
//
//   the guard, pid 1 of new pid and mount namespaces, with the caller's own user id
//    1  parent death signal, cgroups      before there is anything to outlive the engine, or to be charged
//    2  private mounts
//    3  of an ordinary user: id maps, open bind sources, take root's id     as in confine/apply.cc
//    4  /proc, cgroups out of sight
//    5  the bundle: one tmpfs             config.json, the root's own files, the runtime's state
//    6  scratch, secrets, given folders   what the container's configuration binds
//    7  input files                       last use of the engine's data
//    8  fork the runtime, then exec init/guard.c
//
//   the runtime, pid 2, makes the container out of the bundle, detaches from it and ends.
//
// Nothing of the bundle is on a disk, and nothing of it is in the host's mount table: with the guard the
// kernel takes away every process and every mount.
#include "isolation/oci/runtime_child.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "confine/file_stream.h"
#include "confine/launch_step.h"
#include "confine/privileges.h"
#include "confine/program.h"
#include "confine/root.h"
#include "confine/steps.h"
#include "confine/syscalls.h"
#include "isolation/oci/start_record.h"

namespace casemate::oci {
namespace {

constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr const char* kCgroups = "/sys/fs/cgroup";

int HideCgroups(CgroupView view) {
  if (view == CgroupView::kReadOnly) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    return ErrnoUnlessZero(MountSetattr(AT_FDCWD, kCgroups, AT_RECURSIVE, attributes));
  }
  // With all that is mounted below it, which takes the kernel a grace period. In a user namespace the mounts
  // below it are locked together (EINVAL), and are covered.
  if (view == CgroupView::kNone && umount2(kCgroups, MNT_DETACH) != 0 && errno != EINVAL)
    return errno == ENOENT ? 0 : -errno;
  return ErrnoUnlessZero(mount("tmpfs", kCgroups, "tmpfs", kQuiet | MS_RDONLY, "size=4096"));
}

// The caller's own id opens the folders, and is then gone.
void EnterUserNamespace(RuntimePlan& plan) {
  const int socket = plan.base.socket;
  CgroupEntrances none;
  Require(socket, LaunchStep::kWaitForIds, AwaitGo(socket, none));
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  Require(socket, OpenBindSources(plan.base.binds));
  if (!plan.base.ids.change_ids) return;
  Require(socket, LaunchStep::kSetIds, TakeIds(plan.base.ids.init_uid, plan.base.ids.clear_groups));
  // A change of ids takes both back.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  Require(socket, LaunchStep::kParentDeathSignal, DieWithTheEngine(plan.base.lifeline));
}

void MakeOwnView(RuntimePlan& plan) {
  const int socket = plan.base.socket;
  Require(socket, LaunchStep::kPrivateMounts,
          ErrnoUnlessZero(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr)));
  if (plan.own_user_namespace) EnterUserNamespace(plan);
  Require(socket, LaunchStep::kProc, ErrnoUnlessZero(mount("proc", "/proc", "proc", kQuiet, nullptr)));
  Require(socket, LaunchStep::kUnshareCgroup, HideCgroups(plan.cgroup_view));
}

int OpenFolder(const char* path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

void MountBundle(const RuntimePlan& plan, RootHandles& handles) {
  const int socket = plan.base.socket;
  // The runtime's own executables are in its state folder (runc copies itself there).
  Require(socket, LaunchStep::kNewRoot,
          ErrnoUnlessZero(mount("tmpfs", plan.place.c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
                                plan.base.root_options.c_str())));
  const int bundle = OpenFolder(plan.place.c_str());
  Require(socket, LaunchStep::kNewRoot, bundle < 0 ? -errno : 0);
  Require(socket, MakeRootEntries(bundle, plan.base.root_entries));
  for (const BindMount& bind : plan.base.binds) {
    const int moved = MoveMount(bind.tree.get(), "", bundle, bind.target.c_str(), MOVE_MOUNT_F_EMPTY_PATH);
    Require(socket, LaunchStep::kBindMounts, ErrnoUnlessZero(moved));
  }
  Require(socket, LaunchStep::kScratch, ErrnoUnlessZero(fchdir(bundle)));
  Require(socket, LaunchStep::kScratch, ErrnoUnlessZero(chdir(plan.writable.c_str())));
  const int writable = OpenFolder(".");
  Require(socket, LaunchStep::kScratch, writable < 0 ? -errno : 0);
  Require(socket, MountScratch(writable, plan.base.scratch, plan.owner, handles));
  Require(socket, MountSecrets(plan.base.secret_files, plan.owner));
  close(writable);
  Require(socket, LaunchStep::kScratch, ErrnoUnlessZero(fchdir(bundle)));
  handles.workspace = OpenFolder(plan.workspace.c_str());
  Require(socket, LaunchStep::kScratch, handles.workspace < 0 ? -errno : 0);
  close(bundle);
}

void HandOver(const RuntimePlan& plan, const RootHandles& handles) {
  const int socket = plan.base.socket;
  const std::array<int, 2> fds{handles.scratch, handles.workspace};
  Require(socket, LaunchStep::kScratch,
          Send(socket, LaunchMessageKind::kMounted, {}, fds.data(), fds.size()));
  if (plan.base.expects_files) {
    Require(socket, LaunchStep::kInputFiles, ReceiveFiles(socket, handles.workspace, plan.owner));
  }
  close(handles.scratch);
  close(handles.workspace);
}

[[noreturn]] void BecomeRuntime(const RuntimePlan& plan, ExecWords& words) {
  int socket = plan.base.socket;
  Require(socket, LaunchStep::kDescriptors, PlaceDescriptors(plan.base.descriptors, socket));
  if (plan.high_descriptor != 0)
    Require(socket, LaunchStep::kDescriptors, ErrnoUnlessZero(dup2(0, plan.high_descriptor) < 0 ? -1 : 0));
  Require(socket, LaunchStep::kSession, NewSession());
  if (plan.runtime_given)
    Require(socket, LaunchStep::kDescriptors, ErrnoUnlessZero(fcntl(kRuntimeFd, F_SETFD, FD_CLOEXEC)));
  execve(plan.base.exec_candidates.front().c_str(), words.argv.data(), words.env.data());
  if (plan.runtime_given)
    syscall(SYS_execveat, kRuntimeFd, "", words.argv.data(), words.env.data(), AT_EMPTY_PATH);
  GiveUp(socket, LaunchStep::kExecProgram, errno);
}

}  // namespace

void RunRuntime(RuntimePlan& plan) {
  CloseAllBut(plan.base.keep);
  ExecWords words;
  const int socket = plan.base.socket;
  Require(socket, LaunchStep::kExecProgram, words.Fill(plan.base));
  Require(socket, LaunchStep::kParentDeathSignal, DieWithTheEngine(plan.base.lifeline));
  ResetSignals();
  TakeOrdinaryPriority();
  OfferToOomKiller(plan.base.oom_score_adj);
  Require(socket, LaunchStep::kEnterCgroup, EnterCgroups(plan.cgroups));
  umask(0);
  MakeOwnView(plan);
  RootHandles handles;
  MountBundle(plan, handles);
  umask(022);
  HandOver(plan, handles);
  // As in confine/apply.cc: the two share memory until the runtime is executed, and only system calls follow.
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,bugprone-unsafe-functions,cert-msc*): as there
  const pid_t runtime = vfork();
  if (runtime < 0) GiveUp(socket, LaunchStep::kForkProgram, errno);
  // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): BecomeRuntime never returns
  if (runtime == 0) BecomeRuntime(plan, words);
  close(socket);
  BecomeGuard({plan.base.lifeline, plan.base.exit_status, plan.ended, plan.base.init_binary});
}

}  // namespace casemate::oci
