#include "confine/steps.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "base/descriptor_message.h"
#include "confine/apply.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

// What the reaper and the keeper (init/) find: the numbers are their contract.
constexpr int kReaperLifeline = 3;
constexpr int kReaperStatus = 4;
// Where descriptors wait while their final numbers are filled.
constexpr int kParkingPlace = 2000;

int MoveDescriptor(int from, int to) { return dup2(from, to) < 0 ? -errno : 0; }

// The program may run already, so there is no launch to fail any more: whoever reads the status learns that
// init gave up, and its end ends everything.
void RequireOfInit(int status, int negative_errno) {
  if (negative_errno >= 0) return;
  (void)!write(status, &kInitFailedStatus, sizeof(kInitFailedStatus));
  _exit(1);
}

}  // namespace

int Send(int socket, LaunchMessageKind kind, StepResult result, const int* fds, std::size_t fd_count) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  LaunchMessage message{kind, result.step, result.err, 0,
                        std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000};
  return SendDescriptors(socket, std::as_bytes(std::span(&message, 1)), {fds, fd_count});
}

void GiveUp(int socket, LaunchStep step, int err) {
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
  const int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
  if (policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE) {
    const sched_param ordinary{};
    sched_setscheduler(0, SCHED_OTHER, &ordinary);
  }
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);
  if (errno == 0 && nice < 0) setpriority(PRIO_PROCESS, 0, 0);
}

int EnterCgroups(std::span<const int> tasks) {
  for (const int fd : tasks) {
    if (write(fd, "0", 1) != 1) return -errno;
  }
  return 0;
}

int AwaitGo(int socket, CgroupEntrances& entrances) {
  LaunchGo go;
  const ssize_t count =
      ReceiveDescriptors(socket, std::as_writable_bytes(std::span(&go, 1)), entrances.tasks, entrances.count);
  if (count < 0) return static_cast<int>(count);
  if (count != sizeof(go) || go.word != LaunchGo().word) return -ECANCELED;
  // One that was lost on the way would be a limit that does not hold.
  return entrances.count == go.cgroups ? 0 : -EBADMSG;
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

// Final numbers, all others closed. The sources are parked above every target first, so that no dup2
// overwrites one that is still needed.
int PlaceDescriptors(std::span<const DescriptorMove> moves, int& socket) {
  std::array<int, 12> parked{};
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

int SetResourceLimits(std::span<const ResourceLimit> limits) {
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

namespace {

// Executes `binary` with the `fds`, of which the second takes the status, from number 3 on.
[[noreturn]] void BecomeInit(std::span<const int> fds, int binary, char* const* argv) {
  const int status = fds[1];
  std::array<int, 4> parked{};
  // Parked first: any of them may already have one of the final numbers.
  for (std::size_t i = 0; i < fds.size(); ++i) {
    parked[i] = fcntl(fds[i], F_DUPFD, kParkingPlace);
    if (parked[i] < 0) RequireOfInit(status, -errno);
  }
  binary = fcntl(binary, F_DUPFD_CLOEXEC, kParkingPlace);
  if (binary < 0) RequireOfInit(status, -errno);
  for (std::size_t i = 0; i < fds.size(); ++i) {
    RequireOfInit(parked[1], MoveDescriptor(parked[i], kReaperLifeline + static_cast<int>(i)));
  }
  for (std::size_t i = 0; i < fds.size(); ++i) close(parked[i]);
  CloseRange(0, 2, 0);
  CloseRange(kReaperLifeline + static_cast<unsigned>(fds.size()), kParkingPlace - 1, 0);
  char* const env[] = {nullptr};  // NOLINT(modernize-avoid-c-arrays): execve's interface
  syscall(SYS_execveat, binary, "", argv, env, AT_EMPTY_PATH);
  RequireOfInit(kReaperStatus, -errno);
  _exit(1);
}

}  // namespace

void BecomeReaper(const ReaperDescriptors& fds) {
  if (fds.child_of_engine) RequireOfInit(fds.exit_status, DieWithTheEngine(fds.lifeline));
  char name[] = "init";                  // NOLINT(modernize-avoid-c-arrays): execve's interface
  char* const argv[] = {name, nullptr};  // NOLINT(modernize-avoid-c-arrays)
  BecomeInit(std::array{fds.lifeline, fds.exit_status}, fds.init_binary, argv);
}

void BecomeGuard(const GuardDescriptors& fds) {
  RequireOfInit(fds.exit_status, DieWithTheEngine(fds.lifeline));
  char name[] = "guard";                 // NOLINT(modernize-avoid-c-arrays): execve's interface
  char* const argv[] = {name, nullptr};  // NOLINT(modernize-avoid-c-arrays)
  BecomeInit(std::array{fds.lifeline, fds.exit_status, fds.ended}, fds.binary, argv);
}

void BecomeKeeper(const KeeperDescriptors& fds, pid_t program, bool own_id) {
  std::array<char, 16> pid{};
  std::size_t at = pid.size() - 1;
  for (; program > 0; program /= 10) pid[--at] = static_cast<char>('0' + program % 10);
  char name[] = "keeper";  // NOLINT(modernize-avoid-c-arrays): execve's interface
  char own[] = "own";      // NOLINT(modernize-avoid-c-arrays)
  char shared[] = "-";     // NOLINT(modernize-avoid-c-arrays)
  char* const argv[] = {name, pid.data() + at, own_id ? own : shared,
                        nullptr};  // NOLINT(modernize-avoid-c-arrays)
  BecomeInit(std::array{fds.lifeline, fds.exit_status, fds.children, fds.lock}, fds.binary, argv);
}

}  // namespace casemate
