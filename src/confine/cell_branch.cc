// Theory of operation, after the pattern of cell.cc:
//
//   origin   clone(kBranchCloneFlags), once a copy                    [waits: asked for?]
//   init     pid 1 of new namespaces, on a stack of its own in the origin's memory
//            [waits at kInit: id maps, mounts, descriptors come from outside, when all of them wait]
//            cgroups; then in turn, since they share the C library's locks: fork; when all have come so far:
//            its own id, exec the reaper
//   copy     pid 2: closes every descriptor, drops the capabilities that came with the user namespace
//            [waits at kCopy: the origin is killed, the copy is looked at, channels come from outside]
//   origin   when every init has left its memory [waits at kOrigin for its death]
//
// The last copy of an origin with one thread is no fork: it is the heir, a clone in the same memory, so that
// no page table is copied for it and none is taken down with the origin. From a fork's child it differs in
// what the kernel keeps for a thread's C library, which is taken from the origin before the end of that would
// write to the memory, and given to the heir. With more threads, the others would die wherever they are,
// inside the allocator for one: then all copies are forks.
//
// The inits and the heir share one errno with the origin: none of them reads it when a call has done its
// work.
#include "confine/cell_branch.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>

#include "base/descriptor_message.h"
#include "confine/privileges.h"
#include "confine/steps.h"
#include "confine/syscalls.h"

// Of the C library since 2.35: an older one has none.
#pragma weak __rseq_offset
#pragma weak __rseq_size

namespace casemate {
namespace {

// What the reaper finds (init/reaper.c), and the reaper itself.
constexpr int kLifelineFd = 3;
constexpr int kStatusFd = 4;
constexpr int kReaperFd = 5;
constexpr std::size_t kStackBytes = 64 * std::size_t{1024};
using Stack = std::array<std::byte, kStackBytes>;
alignas(16) std::array<Stack, kBranchesMax> branch_stacks;
alignas(16) Stack heir_stack;

// Of the inits, while they are in the origin's memory.
std::atomic<std::uint32_t> turn;
std::array<std::atomic<std::uint32_t>, kBranchesMax> alive;  // the kernel clears it when one leaves
std::atomic<std::uint32_t> entered;                          // so many have been furnished
std::atomic<std::uint32_t> parted;                           // all of them have left

struct Birth {
  const IdPlan* ids = nullptr;
  std::uint32_t place = 0;
  int request = -1;  // a copy's descriptor
  pid_t init = -1;
};
std::array<Birth, kBranchesMax> births;
std::uint32_t births_count = 0;
std::uint32_t heir = kBranchesMax;  // its place, if there is one
jmp_buf back;

// What the kernel keeps of a thread for the C library, and not of a clone in the same memory.
class ThreadState {
 public:
  void Read() {
    prctl(PR_GET_TID_ADDRESS, &tid_, 0, 0, 0);
    syscall(SYS_get_robust_list, 0, &robust_, &robust_bytes_);
    sigaltstack(nullptr, &signal_stack_);
  }
  // The end of a thread that has let go writes nothing to memory that others use.
  void LetGo() const {
    syscall(SYS_set_tid_address, nullptr);
    syscall(SYS_set_robust_list, nullptr, robust_bytes_);
  }
  void Take() const {
    syscall(SYS_set_tid_address, tid_);
    syscall(SYS_set_robust_list, robust_, robust_bytes_);
  }
  void TakeAnew() const {
    Take();
    sigaltstack(&signal_stack_, nullptr);
    if (&__rseq_size == nullptr || &__rseq_offset == nullptr || __rseq_size == 0) return;
    char* const area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    syscall(SYS_rseq, area, sizeof(struct rseq), 0, RSEQ_SIG);
  }

 private:
  int* tid_ = nullptr;
  void* robust_ = nullptr;
  std::size_t robust_bytes_ = 0;
  stack_t signal_stack_{};
};
ThreadState thread;

// The kernel wakes those that wait for `alive` as futexes that processes share; so are both.
void WaitWhile(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
}

void Await(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
  for (std::uint32_t now = word; now != value; now = word) WaitWhile(word, now);
}

void Step(std::atomic<std::uint32_t>& word) {
  ++word;
  syscall(SYS_futex, &word, FUTEX_WAKE, kBranchesMax, nullptr, nullptr, 0);
}

// What the supervisor answers; negative when it refuses.
int WaitAt(BranchPoint point, int err = 0) {
  return static_cast<int>(syscall(SYS_unshare, 0UL, kBranchMark, static_cast<unsigned long>(point), err));
}

// Between its birth and its release a copy has nothing but its memory.
bool LeaveAll() {
  return CloseRange(0, ~0U, 0) == 0 && setsid() >= 0 && chdir("/workspace") == 0 && DropCapabilities() == 0;
}

// Waits to be let go; the descriptor of its requests, or -1.
int TakeChannels() {
  const int request = WaitAt(BranchPoint::kCopy);
  std::array<std::byte, 1> byte{};
  std::array<int, kBranchChannels> fds{};
  std::size_t count = 0;
  if (request < static_cast<int>(fds.size()) ||
      ReceiveDescriptors(request, byte, fds, count, MSG_DONTWAIT) != 1 || count != fds.size()) {
    return -1;
  }
  // The numbers of the first three are right already: there was no other descriptor.
  for (const int standard : {0, 1, 2}) fcntl(standard, F_SETFD, 0);
  if (dup3(fds[4], request + 1, O_CLOEXEC) < 0 || dup3(fds[3], request, O_CLOEXEC) < 0) return -1;
  return CloseRange(3, 4, 0) == 0 ? request : -1;
}

bool BecomeCopy(Birth& birth) {
  // An init before this one may have changed its ids in the memory that this is a copy of (proc(5)).
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (!LeaveAll()) return false;
  birth.request = TakeChannels();
  return birth.request > 0;
}

int RunHeir(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  if (!LeaveAll()) _exit(1);
  // Whoever looks at it has to be allowed to, and an init that changes its ids ends that.
  Await(parted, 1);
  birth.request = TakeChannels();
  if (birth.request <= 0) _exit(1);
  thread.TakeAnew();
  // NOLINTNEXTLINE(cert-err52-cpp): back onto the stack of the interpreter, of which the origin was
  longjmp(back, static_cast<int>(birth.place) + 1);
}

// What an init does before its copy is made.
bool EnterBranch() {
  // The table is its own. What comes into an empty one has the numbers from 1 on, in its order.
  if (CloseRange(0, ~0U, 0) != 0) return false;
  const int socket = WaitAt(BranchPoint::kInit);
  std::array<std::byte, 1> byte{};
  std::array<int, kBranchTasks + kBranchTasksMax> fds{};
  std::size_t count = 0;
  if (socket != kBranchSocket || ReceiveDescriptors(socket, byte, fds, count, MSG_DONTWAIT) != 1 ||
      count < kBranchTasks) {
    return false;
  }
  if (EnterCgroups(std::span(fds).first(count).subspan(kBranchTasks)) != 0) return false;
  // Upwards, so that none is overwritten that is still to be moved.
  if (dup3(fds[kBranchReaper], kReaperFd, O_CLOEXEC) < 0 || dup2(fds[kBranchStatus], kStatusFd) < 0 ||
      dup2(fds[kBranchLifeline], kLifelineFd) < 0) {
    return false;
  }
  return CloseRange(0, kLifelineFd - 1, 0) == 0 && CloseRange(kReaperFd + 1, ~0U, 0) == 0;
}

int RunBranchInit(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  if (!EnterBranch()) _exit(1);
  Step(entered);
  Await(turn, birth.place);
  const bool is_heir = birth.place == heir;
  const pid_t copy =
      is_heir ? clone(RunHeir, heir_stack.data() + heir_stack.size(), CLONE_VM | SIGCHLD, argument) : fork();
  if (copy == 0) {
    if (!BecomeCopy(birth)) _exit(1);
    // NOLINTNEXTLINE(cert-err52-cpp): back onto the interpreter's own stack
    longjmp(back, static_cast<int>(birth.place) + 1);
  }
  Step(turn);
  if (copy < 0) _exit(1);
  // A change of ids makes the memory undumpable, and the files in /proc root's of all that are in it
  // (proc(5)): not before each of them has been furnished by way of those.
  Await(entered, births_count);
  if (birth.ids->change_ids && TakeIds(birth.ids->init_uid, birth.ids->clear_groups) != 0) _exit(1);
  char name[] = "init";                  // NOLINT(modernize-avoid-c-arrays): execve's interface
  char* const argv[] = {name, nullptr};  // NOLINT(modernize-avoid-c-arrays)
  char* const env[] = {nullptr};         // NOLINT(modernize-avoid-c-arrays)
  syscall(SYS_execveat, kReaperFd, "", argv, env, AT_EMPTY_PATH);
  _exit(1);
}

// Whether no other thread of this process is in its memory.
bool IsAlone() {
  constexpr nlink_t kFolderLinks = 2;  // and one for each thread
  struct stat info {};
  return stat("/proc/self/task", &info) == 0 && info.st_nlink == kFolderLinks + 1;
}

// Of copies that were given up: ended from outside, but children of this process, which count for its limits.
void BuryInits(std::size_t count) {
  for (const Birth& birth : std::span(births).first(count)) {
    while (birth.init > 0 && waitpid(birth.init, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace

int ForkBranches(const IdPlan& ids, int count) {
  if (count < 1 || count > kBranchesMax) return -EINVAL;
  // NOLINTNEXTLINE(cert-err52-cpp): the only way from another stack back to this one
  if (const int place = setjmp(back); place != 0) return births[static_cast<std::size_t>(place) - 1].request;
  turn = 0;
  entered = 0;
  parted = 0;
  births_count = static_cast<std::uint32_t>(count);
  heir = IsAlone() ? static_cast<std::uint32_t>(count) - 1 : kBranchesMax;
  thread.Read();
  int failed = 0;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  std::size_t made = 0;
  for (; made < static_cast<std::size_t>(count) && failed == 0; ++made) {
    Birth& birth = births[made];
    birth = {&ids, static_cast<std::uint32_t>(made)};
    alive[made] = 1;
    Stack& stack = branch_stacks[made];
    const unsigned long flags = made + 1 == births_count ? kLastCloneFlags : kBranchCloneFlags;
    birth.init = clone(RunBranchInit, stack.data() + stack.size(), static_cast<int>(flags), &birth, nullptr,
                       nullptr, &alive[made]);
    if (birth.init < 0) {
      failed = -errno;
      alive[made] = 0;
    }
  }
  // Those that were made wait for one that will never be: the supervisor ends them.
  if (failed != 0) WaitAt(BranchPoint::kOrigin, -failed);
  // Till the last of them is the reaper, or dead.
  for (std::size_t i = 0; i < made; ++i) {
    while (alive[i] != 0) WaitWhile(alive[i], 1);
  }
  if (failed != 0) {
    BuryInits(made);
    return failed;
  }
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  thread.LetGo();
  Step(parted);
  WaitAt(BranchPoint::kOrigin);  // it comes back only where the copies were given up
  thread.Take();
  BuryInits(made);
  return -ECANCELED;
}

}  // namespace casemate
