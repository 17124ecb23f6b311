// Theory of operation: the order in which a process gives up power.
//
// clone3 made this process: pid 1 of new user, pid, mount and uts namespaces. It still has
// the engine's memory, the caller's user id and every capability over its own namespaces. From here power
// only shrinks, and each step needs some that a later one takes away:
//
//   init, pid 1
//    1  parent death signal       first, so that no crash of the engine leaves this process behind
//    2  network, ipc namespaces   slow to make: meanwhile the engine makes cgroups and writes the id maps
//    3  cgroup, cgroup namespace  before anything of the program's is there, so that all of it is charged
//    4  private mounts, open bind sources     with the caller's user id, which may read its own folders
//    5  take init's ids           the caller's id is gone from here on
//    6  root, scratch, /proc, pivot, seal, terminal    needs CAP_SYS_ADMIN in the namespaces
//    7  input files               last use of the engine's data
//    8  fork the program, then exec the reaper (no memory of the engine stays in the sandbox)
//
//   the program, pid 2
//    9  session, keyring, descriptors, resource limits but that of descriptors
//   10  bounding set, ids, capability sets     the set before the ids: it needs CAP_SETPCAP
//   11  no_new_privs                           from here exec cannot give anything back
//   12  Landlock, then proof that all is gone  needs open(2) and capget(2), before the filter judges calls
//   13  seccomp, hand its listener to the engine
//   14  limit of descriptors, which sending one needs wide; exec
#include "confine/apply.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/descriptor_message.h"
#include "confine/egress_socket.h"
#include "confine/file_stream.h"
#include "confine/launch_step.h"
#include "confine/privileges.h"
#include "confine/program.h"
#include "confine/root.h"
#include "confine/sandbox_terminal.h"
#include "confine/steps.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

// The engine gets the socket before anything of the program's is there.
void OpenEgress(const ConfinementPlan& plan) {
  const int listener = plan.egress_port != 0 ? ListenOnLoopback(plan.egress_port) : -1;
  if (plan.egress_port != 0) Require(plan.socket, LaunchStep::kEgress, listener);
  Require(plan.socket, LaunchStep::kWaitForIds,
          Send(plan.socket, LaunchMessageKind::kReady, {}, &listener, listener >= 0 ? 1 : 0));
  if (listener >= 0) close(listener);
}

void EnterNamespaces(ConfinementPlan& plan) {
  const int socket = plan.socket;
  Require(socket, LaunchStep::kParentDeathSignal, DieWithTheEngine(plan.lifeline));
  ResetSignals();
  TakeOrdinaryPriority();
  // While /proc/self is still the caller's own, which it is not once the process is not dumpable.
  OfferToOomKiller(plan.oom_score_adj);
  Require(socket, LaunchStep::kUnshareNetwork, ErrnoUnlessZero(unshare(CLONE_NEWNET | CLONE_NEWIPC)));
  OpenEgress(plan);
  CgroupEntrances entrances;
  Require(socket, LaunchStep::kWaitForIds, AwaitGo(socket, entrances));
  Require(socket, LaunchStep::kEnterCgroup, EnterCgroups({entrances.tasks.data(), entrances.count}));
  if (plan.unshare_cgroup)
    Require(socket, LaunchStep::kUnshareCgroup, ErrnoUnlessZero(unshare(CLONE_NEWCGROUP)));
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  Require(socket, LaunchStep::kPrivateMounts,
          ErrnoUnlessZero(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr)));
  Require(socket, OpenBindSources(plan.binds));
  if (plan.ids.change_ids) {
    Require(socket, LaunchStep::kSetIds, TakeIds(plan.ids.init_uid, plan.ids.clear_groups));
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    Require(socket, LaunchStep::kParentDeathSignal, DieWithTheEngine(plan.lifeline));
  }
}

void OpenTerminalOf(ConfinementPlan& plan) {
  TerminalEnds ends;
  Require(plan.socket, OpenTerminal(plan.ids.program_uid, ends));
  Require(plan.socket, LaunchStep::kTerminal,
          Send(plan.socket, LaunchMessageKind::kTerminal, {}, &ends.engine, 1));
  close(ends.engine);
  for (DescriptorMove& move : plan.descriptors) {
    if (move.from < 0) move.from = ends.program;
  }
}

void EnterRoot(ConfinementPlan& plan) {
  const int socket = plan.socket;
  umask(0);
  RootHandles handles;
  Require(socket, BuildRoot(plan, handles));
  umask(022);
  Require(socket, LaunchStep::kHostName,
          ErrnoUnlessZero(sethostname(plan.host_name.data(), plan.host_name.size())));
  Require(socket, LaunchStep::kHostName, ErrnoUnlessZero(setdomainname("", 0)));
  if (plan.terminal) OpenTerminalOf(plan);
  const std::array<int, 2> fds{handles.scratch, handles.workspace};
  Require(socket, LaunchStep::kScratch,
          Send(socket, LaunchMessageKind::kMounted, {}, fds.data(), fds.size()));
  if (plan.expects_files) {
    Require(socket, LaunchStep::kInputFiles, ReceiveFiles(socket, handles.workspace, plan.ids.program_uid));
  }
  close(handles.scratch);
  close(handles.workspace);
  Require(socket, LaunchStep::kWorkingDir, ErrnoUnlessZero(chdir(plan.working_dir.c_str())));
}

}  // namespace

void RunInit(ConfinementPlan& plan) {
  CloseAllBut(plan.keep);
  // On the stack, before any step can fail: execve wants arrays of pointers, and malloc is out of bounds.
  ExecWords words;
  Require(plan.socket, LaunchStep::kExecProgram, words.Fill(plan));

  EnterNamespaces(plan);
  EnterRoot(plan);
  // vfork(2): no page table is copied for a process that is about to execute something else. Init sleeps
  // until then; the two share memory, and nothing but this code runs in it. Credentials, filters and
  // descriptors are each its own.
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,bugprone-unsafe-functions,cert-msc*): as above
  const pid_t program = vfork();
  if (program < 0) GiveUp(plan.socket, LaunchStep::kForkProgram, errno);
  // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): system calls alone follow, and RunProgram never returns
  if (program == 0) RunProgram(plan, words);
  // The program's copy alone stays: the engine sees its end when the program has been executed.
  close(plan.socket);
  BecomeReaper({plan.lifeline, plan.exit_status, plan.init_binary, true});
}

}  // namespace casemate
