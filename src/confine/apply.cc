// Theory of operation: the order in which a process gives up power.
//
// clone3 made this process: pid 1 of new user, pid, mount, network, ipc and uts namespaces. It still has
// the engine's memory, the caller's user id and every capability over its own namespaces. From here power
// only shrinks, and each step needs some that a later one takes away:
//
//   init, pid 1
//    1  parent death signal       first, so that no crash of the engine leaves this process behind
//    2  cgroup, cgroup namespace  before anything is allocated, so that all of it is charged
//    3  wait for id maps          the engine writes them; only it may
//    4  private mounts, open bind sources     with the caller's user id, which may read its own folders
//    5  take init's ids           the caller's id is gone from here on
//    6  root, scratch, /proc, pivot, seal     needs CAP_SYS_ADMIN in the namespaces
//    7  input files               last use of the engine's data
//    8  fork the program, then exec the reaper (no memory of the engine stays in the sandbox)
//
//   the program, pid 2
//    9  session, keyring, descriptors, resource limits
//   10  bounding set, ids, capability sets     the set before the ids: it needs CAP_SETPCAP
//   11  no_new_privs                           from here exec cannot give anything back
//   12  Landlock, then proof that all is gone  needs open(2) and capget(2), before the filter judges calls
//   13  seccomp, hand its listener to the engine
//   14  exec
#include "confine/apply.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "confine/file_stream.h"
#include "confine/landlock.h"
#include "confine/launch_step.h"
#include "confine/privileges.h"
#include "confine/root.h"
#include "confine/seccomp_filter.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

// What the reaper (init/reaper.c) finds: the numbers are its contract.
constexpr int kReaperLifeline = 3;
constexpr int kReaperStatus = 4;
constexpr int kFirstFreeDescriptor = 5;
// Where descriptors wait while their final numbers are filled.
constexpr int kParkingPlace = 2000;

// 0 or -errno.
int Send(int socket, LaunchMessageKind kind, StepResult result, const int* fds, std::size_t fd_count) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  LaunchMessage message{kind, result.step, result.err, 0,
                        std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000};
  iovec part{&message, sizeof(message)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd_count > 0) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    cmsghdr* attached = CMSG_FIRSTHDR(&header);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    std::memcpy(CMSG_DATA(attached), fds, fd_count * sizeof(int));
  }
  while (sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

[[noreturn]] void GiveUp(int socket, LaunchStep step, int err) {
  (void)Send(socket, LaunchMessageKind::kFailed, {step, err}, nullptr, 0);
  _exit(1);
}

void Require(int socket, LaunchStep step, int negative_errno) {
  if (negative_errno < 0) GiveUp(socket, step, -negative_errno);
}

void Require(int socket, const StepResult& result) {
  if (result.err != 0) GiveUp(socket, result.step, result.err);
}

int ErrnoUnlessZero(long value) { return value == 0 ? 0 : -errno; }

// PR_SET_PDEATHSIG is lost whenever ids change (prctl(2)), so it is set again; an engine that died before it
// was set shows as the end of the lifeline.
int DieWithTheEngine(int lifeline) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -errno;
  pollfd gone{lifeline, POLLIN, 0};
  if (poll(&gone, 1, 0) != 0) return -EPIPE;
  return 0;
}

void ResetSignals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// A caller's raised priority is not the program's. A lowered one stays: it was meant for all of the caller's
// work.
void TakeOrdinaryPriority() {
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);
  if (errno == 0 && nice < 0) setpriority(PRIO_PROCESS, 0, 0);
}

int EnterCgroups(const std::vector<int>& tasks) {
  for (const int fd : tasks) {
    if (write(fd, "0", 1) != 1) return -errno;
  }
  return 0;
}

int AwaitGo(int socket) {
  char byte = 0;
  ssize_t count = 0;
  do {
    count = recv(socket, &byte, 1, 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  return count == 1 && byte == kLaunchGo ? 0 : -ECANCELED;
}

// Prefer the sandbox to anything else when the whole host runs out of memory. Best effort: the limit that
// matters is the cgroup's.
void OfferToOomKiller(int score) {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  std::array<char, 8> digits{};
  std::size_t at = digits.size();
  for (; score > 0; score /= 10) digits[--at] = static_cast<char>('0' + score % 10);
  (void)!write(fd, digits.data() + at, digits.size() - at);
  close(fd);
}

int MoveDescriptor(int from, int to) { return dup2(from, to) < 0 ? -errno : 0; }

// Final numbers, all others closed. The sources are parked above every target first, so that no dup2
// overwrites one that is still needed.
int PlaceDescriptors(const std::vector<DescriptorMove>& moves, int& socket) {
  std::array<int, 8> parked{};
  if (moves.size() > parked.size()) return -E2BIG;
  const int parked_socket = fcntl(socket, F_DUPFD_CLOEXEC, kParkingPlace);
  if (parked_socket < 0) return -errno;
  socket = parked_socket;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    parked[i] = fcntl(moves[i].from, F_DUPFD_CLOEXEC, kParkingPlace);
    if (parked[i] < 0) return -errno;
  }
  if (CloseRange(0, kParkingPlace - 1, 0) != 0) return -errno;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    if (const int failed = MoveDescriptor(parked[i], moves[i].to); failed != 0) return failed;
  }
  const auto last = static_cast<unsigned>(socket);
  if (CloseRange(kParkingPlace, last - 1, 0) != 0 && errno != EINVAL) return -errno;
  return CloseRange(last + 1, ~0U, 0) == 0 ? 0 : -errno;
}

int SetResourceLimits(const std::vector<ResourceLimit>& limits) {
  for (const ResourceLimit& limit : limits) {
    if (setrlimit(static_cast<__rlimit_resource>(limit.resource), &limit.value) != 0) return -errno;
  }
  return 0;
}

// setsid(2) gives up any terminal; an anonymous session keyring replaces the caller's (keyrings(7)). ENOSYS
// and EPERM mean that the kernel or a container around us has no keyrings to reach.
int NewSession() {
  if (setsid() < 0) return -errno;
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS && errno != EPERM) {
    return -errno;
  }
  return 0;
}

[[noreturn]] void Exec(const ConfinementPlan& plan, char* const* argv, char* const* env, int socket) {
  int err = ENOENT;
  for (const std::string& path : plan.exec_candidates) {
    execve(path.c_str(), argv, env);
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
  }
  GiveUp(socket, LaunchStep::kExecProgram, err);
}

[[noreturn]] void RunProgram(const ConfinementPlan& plan, char* const* argv, char* const* env) {
  int socket = plan.socket;
  Require(socket, LaunchStep::kSession, NewSession());
  Require(socket, LaunchStep::kDescriptors, PlaceDescriptors(plan.descriptors, socket));
  Require(socket, LaunchStep::kResourceLimits, SetResourceLimits(plan.resource_limits));
  Require(socket, LaunchStep::kBoundingSet, DropBoundingSet());
  if (plan.ids.change_ids) {
    Require(socket, LaunchStep::kDropIds, TakeIds(plan.ids.program_uid, plan.ids.clear_groups));
  }
  Require(socket, LaunchStep::kDropCapabilities, DropCapabilities());
  Require(socket, LaunchStep::kNoNewPrivileges, SetNoNewPrivileges());
  Require(socket, LaunchStep::kLandlock, RestrictWithLandlock(plan.landlock));
  Require(socket, LaunchStep::kVerify, VerifyPrivilegesGone(plan.ids.program_uid));
  const int listener = InstallSeccompFilter(plan.seccomp, true);
  Require(socket, LaunchStep::kSeccomp, listener);
  Require(socket, LaunchStep::kReportListener, Send(socket, LaunchMessageKind::kListener, {}, &listener, 1));
  close(listener);
  Exec(plan, argv, env, socket);
}

// The program may run already, so there is no launch to fail any more: whoever reads the status learns that
// init gave up, and its end ends everything.
void RequireOfInit(int status, int negative_errno) {
  if (negative_errno >= 0) return;
  (void)!write(status, &kInitFailedStatus, sizeof(kInitFailedStatus));
  _exit(1);
}

[[noreturn]] void BecomeReaper(const ConfinementPlan& plan) {
  // The program's copy alone stays: the engine sees its end when the program has been executed.
  close(plan.socket);
  RequireOfInit(plan.exit_status, DieWithTheEngine(plan.lifeline));
  // Parked first: any of the three may already have one of the final numbers.
  const int lifeline = fcntl(plan.lifeline, F_DUPFD, kParkingPlace);
  const int status = fcntl(plan.exit_status, F_DUPFD, kParkingPlace);
  const int binary = fcntl(plan.init_binary, F_DUPFD_CLOEXEC, kParkingPlace);
  if (lifeline < 0 || status < 0 || binary < 0) RequireOfInit(plan.exit_status, -errno);
  RequireOfInit(status, MoveDescriptor(lifeline, kReaperLifeline));
  RequireOfInit(status, MoveDescriptor(status, kReaperStatus));
  close(lifeline);
  close(status);
  CloseRange(0, 2, 0);
  CloseRange(kFirstFreeDescriptor, kParkingPlace - 1, 0);
  char name[] = "init";                  // NOLINT(modernize-avoid-c-arrays): execve's interface
  char* const argv[] = {name, nullptr};  // NOLINT(modernize-avoid-c-arrays)
  char* const env[] = {nullptr};         // NOLINT(modernize-avoid-c-arrays)
  syscall(SYS_execveat, binary, "", argv, env, AT_EMPTY_PATH);
  RequireOfInit(kReaperStatus, -errno);
  _exit(1);
}

void EnterNamespaces(ConfinementPlan& plan) {
  const int socket = plan.socket;
  Require(socket, LaunchStep::kParentDeathSignal, DieWithTheEngine(plan.lifeline));
  ResetSignals();
  Require(socket, LaunchStep::kEnterCgroup, EnterCgroups(plan.cgroup_tasks));
  TakeOrdinaryPriority();
  // While /proc/self is still the caller's own, which it is not once the process is not dumpable.
  OfferToOomKiller(plan.oom_score_adj);
  if (plan.unshare_cgroup)
    Require(socket, LaunchStep::kUnshareCgroup, ErrnoUnlessZero(unshare(CLONE_NEWCGROUP)));
  Require(socket, LaunchStep::kWaitForIds, Send(socket, LaunchMessageKind::kReady, {}, nullptr, 0));
  Require(socket, LaunchStep::kWaitForIds, AwaitGo(socket));
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

void EnterRoot(const ConfinementPlan& plan) {
  const int socket = plan.socket;
  umask(0);
  RootHandles handles;
  Require(socket, BuildRoot(plan, handles));
  umask(022);
  Require(socket, LaunchStep::kHostName,
          ErrnoUnlessZero(sethostname(plan.host_name.data(), plan.host_name.size())));
  Require(socket, LaunchStep::kHostName, ErrnoUnlessZero(setdomainname("", 0)));
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
  // Arrays of pointers on the stack, before any step can fail: execve wants them, and malloc is out of
  // bounds.
  constexpr std::size_t kWordsMax = 1024;
  std::array<char*, kWordsMax + 1> argv{};
  std::array<char*, kWordsMax + 1> env{};
  if (plan.argv.size() > kWordsMax || plan.env.size() > kWordsMax) {
    GiveUp(plan.socket, LaunchStep::kExecProgram, E2BIG);
  }
  for (std::size_t i = 0; i < plan.argv.size(); ++i) argv[i] = plan.argv[i].data();
  for (std::size_t i = 0; i < plan.env.size(); ++i) env[i] = plan.env[i].data();

  EnterNamespaces(plan);
  EnterRoot(plan);
  // vfork(2): no page table is copied for a process that is about to execute something else. Init sleeps
  // until then; the two share memory, and nothing but this code runs in it. Credentials, filters and
  // descriptors are each its own.
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,bugprone-unsafe-functions,cert-msc*): as above
  const pid_t program = vfork();
  if (program < 0) GiveUp(plan.socket, LaunchStep::kForkProgram, errno);
  // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): system calls alone follow, and RunProgram never returns
  if (program == 0) RunProgram(plan, argv.data(), env.data());
  BecomeReaper(plan);
}

}  // namespace casemate
