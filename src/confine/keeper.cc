// Theory of operation: the order of a launch without namespaces, root or privileges.
//
//   the keeper, a child of the engine
//    1  descriptors, signals, priority      nothing of other runs, nothing of the caller's
//    2  the engine still there?             the lifeline tells its end; the keeper outlives it to end the
//    tree 3  subreaper                           before there is anything to be orphaned 4  cgroups, where
//    there are any        before there is anything to be charged 5  ids, where the caller has the power 6
//    input files                         last use of the engine's data 7  count the user's processes, where
//    RLIMIT_NPROC has to stand above them 8  fork the program, then exec init/keeper.c: no memory of the
//    engine stays beside the program
//
//   the program: steps 9 to 14 of apply.cc
//
// The keeper's real and saved user ids are not the program's, its effective id is: by kill(2) it may signal
// the program, and the program not it. Where the two share the caller's id only Landlock (ABI 6) keeps them
// apart.
#include "confine/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "confine/file_stream.h"
#include "confine/launch_step.h"
#include "confine/privileges.h"
#include "confine/program.h"
#include "confine/steps.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

// Past any number of processes that a user can have (PID_MAX_LIMIT).
constexpr rlim_t kProcessesEnd = rlim_t{1} << 22;

int TakeKeeperIds(const KeeperPlan& plan) {
  const uid_t program = plan.program.ids.program_uid;
  if (syscall(SYS_setgroups, 0, nullptr) != 0) return -errno;
  if (syscall(SYS_setresgid, program, program, program) != 0) return -errno;
  if (syscall(SYS_setresuid, plan.keeper_uid, program, plan.keeper_uid) != 0) return -errno;
  return 0;
}

// Whether one more process may be made under a limit of `processes`; -errno when that cannot be told.
int MayForkUnder(rlim_t processes, rlim_t hard) {
  const rlimit limit{processes, hard};
  if (setrlimit(RLIMIT_NPROC, &limit) != 0) return -errno;
  // It ends at once.
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,bugprone-unsafe-functions,cert-msc*)
  const pid_t child = vfork();
  if (child == 0) _exit(0);
  if (child < 0) return errno == EAGAIN ? 0 : -errno;
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return 1;
}

// The kernel counts what this process cannot see: other containers' processes of the same user id. So it is
// asked, by trying, and then allows `more`. A user who is exempt (root) is not bounded by it.
int LimitProcesses(std::int64_t more) {
  rlimit former{};
  if (getrlimit(RLIMIT_NPROC, &former) != 0) return -errno;
  const rlim_t end = std::min(former.rlim_max, kProcessesEnd);
  rlim_t refused = 0;
  rlim_t enough = 1;
  int may = MayForkUnder(enough, former.rlim_max);
  if (may > 0) return setrlimit(RLIMIT_NPROC, &former) == 0 ? 0 : -errno;
  while (may == 0 && enough < end) {
    refused = enough;
    enough = std::min(enough * 2, end);
    may = MayForkUnder(enough, former.rlim_max);
  }
  if (may == 0) return -EAGAIN;
  while (may >= 0 && enough - refused > 1) {
    const rlim_t middle = refused + (enough - refused) / 2;
    may = MayForkUnder(middle, former.rlim_max);
    (may > 0 ? enough : refused) = middle;
  }
  if (may < 0) return may;
  const rlim_t limit = std::min(enough - 1 + static_cast<rlim_t>(more), former.rlim_max);
  const rlimit both{limit, limit};
  return setrlimit(RLIMIT_NPROC, &both) == 0 ? 0 : -errno;
}

// Unlike an init's, its end would not be the end of the tree, so it does not die with the engine: its
// lifeline tells.
void BecomeParentOfOrphans(const KeeperPlan& plan) {
  const int socket = plan.program.socket;
  ResetSignals();
  TakeOrdinaryPriority();
  umask(022);
  OfferToOomKiller(plan.program.oom_score_adj);
  // Away from the caller's terminal and its Ctrl-C, which is the engine's to answer.
  Require(socket, LaunchStep::kSession, ErrnoUnlessZero(setsid() < 0 ? -1 : 0));
  Require(socket, LaunchStep::kSubreaper, ErrnoUnlessZero(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)));
  Require(socket, LaunchStep::kEnterCgroup, EnterCgroups(plan.cgroups));
}

int OpenChildren(int socket) {
  const int children = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  Require(socket, LaunchStep::kListChildren, children < 0 ? -errno : 0);
  return children;
}

void DropKeeperPower(const KeeperPlan& plan) {
  const int socket = plan.program.socket;
  if (!plan.program.ids.keeps_bounding_set) Require(socket, LaunchStep::kBoundingSet, DropBoundingSet());
  if (plan.program.ids.change_ids) Require(socket, LaunchStep::kSetIds, TakeKeeperIds(plan));
  Require(socket, LaunchStep::kDropCapabilities, DropCapabilities());
  Require(socket, LaunchStep::kNoNewPrivileges, SetNoNewPrivileges());
  // A change of ids sets it to the host's fs.suid_dumpable.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace

void RunKeeper(KeeperPlan& plan) {
  CloseAllBut(plan.program.keep);
  ExecWords words;
  const int socket = plan.program.socket;
  Require(socket, LaunchStep::kExecProgram, words.Fill(plan.program));
  BecomeParentOfOrphans(plan);
  const int children = OpenChildren(socket);
  DropKeeperPower(plan);
  if (plan.program.expects_files) {
    // With change_ids this process has the program's effective ids, and otherwise the caller's, as the
    // program.
    Require(socket, LaunchStep::kInputFiles, ReceiveFiles(socket, plan.workspace, static_cast<unsigned>(-1)));
  }
  if (plan.more_processes > 0) {
    Require(socket, LaunchStep::kCountProcesses, LimitProcesses(plan.more_processes));
  }
  Require(socket, LaunchStep::kWorkingDir, ErrnoUnlessZero(chdir(plan.program.working_dir.c_str())));
  // As in apply.cc: the two share memory until the program is executed, and only system calls follow.
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,bugprone-unsafe-functions,cert-msc*): as there
  const pid_t program = vfork();
  if (program < 0) GiveUp(socket, LaunchStep::kForkProgram, errno);
  // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): RunProgram never returns
  if (program == 0) RunProgram(plan.program, words);
  close(socket);
  BecomeKeeper(
      {plan.program.lifeline, plan.program.exit_status, children, plan.lock, plan.program.init_binary},
      program, plan.program.ids.change_ids);
}

}  // namespace casemate
