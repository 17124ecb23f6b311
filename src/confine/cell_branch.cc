// Theory of operation, after the pattern of cell.cc:
//
//   origin   clone(kBranchCloneFlags), once a copy                    [waits: asked for?]
//   init     pid 1 of new namespaces, on a stack of its own in the origin's memory
//            [waits at kInit: id maps, mounts, descriptors come from outside, for all of them]
//            cgroups; then in turn, since they share the C library's locks: fork; its own id, exec the reaper
//   copy     pid 2: closes every descriptor, drops the capabilities that came with the user namespace
//            [waits at kCopy: the origin is killed, the copy is looked at, channels come from outside]
//   origin   when every init has left its memory [waits at kOrigin for its death]
//
// The inits share one errno with the origin: none of them reads it.
#include "confine/cell_branch.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>

#include "confine/privileges.h"
#include "confine/steps.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

constexpr std::size_t kStackBytes = 64 * std::size_t{1024};
using Stack = std::array<std::byte, kStackBytes>;
alignas(16) std::array<Stack, kBranchesMax> branch_stacks;

// Of the inits, while they are in the origin's memory.
std::atomic<std::uint32_t> turn;
std::array<std::atomic<std::uint32_t>, kBranchesMax> alive;  // the kernel clears it when one leaves

struct Birth {
  const IdPlan* ids = nullptr;
  std::uint32_t place = 0;
  int request = -1;  // a copy's descriptor
};
std::array<Birth, kBranchesMax> births;
jmp_buf back;

// The kernel wakes those that wait for `alive` as futexes that processes share; so are both.
void WaitWhile(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
}

void AwaitTurn(std::uint32_t place) {
  for (std::uint32_t now = turn; now != place; now = turn) WaitWhile(turn, now);
}

void PassTurn() {
  ++turn;
  syscall(SYS_futex, &turn, FUTEX_WAKE, kBranchesMax, nullptr, nullptr, 0);
}

// What the supervisor answers; negative when it refuses.
int WaitAt(BranchPoint point, int err = 0) {
  return static_cast<int>(syscall(SYS_unshare, 0UL, kBranchMark, static_cast<unsigned long>(point), err));
}

bool BecomeCopy(Birth& birth) {
  // An init before this one may have changed its ids in the memory that this is a copy of (proc(5)).
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (CloseRange(0, ~0U, 0) != 0) return false;
  if (setsid() < 0 || chdir("/workspace") != 0 || DropCapabilities() != 0) return false;
  birth.request = WaitAt(BranchPoint::kCopy);
  return birth.request > 0;
}

// What an init does before its copy is made.
bool EnterBranch() {
  const int tasks = WaitAt(BranchPoint::kInit);
  if (tasks < 0 || tasks > kBranchTasksMax) return false;
  std::array<int, kBranchTasksMax> fds{};
  for (int i = 0; i < tasks; ++i) fds[static_cast<std::size_t>(i)] = kBranchTasks + i;
  if (EnterCgroups(std::span(fds).first(static_cast<std::size_t>(tasks))) != 0) return false;
  CloseRange(0, 2, 0);
  return CloseRange(kBranchTasks, ~0U, 0) == 0;
}

int RunBranchInit(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  if (!EnterBranch()) _exit(1);
  AwaitTurn(birth.place);
  const pid_t copy = fork();
  if (copy == 0) {
    if (!BecomeCopy(birth)) _exit(1);
    // NOLINTNEXTLINE(cert-err52-cpp): back onto the interpreter's own stack
    longjmp(back, static_cast<int>(birth.place) + 1);
  }
  PassTurn();
  if (copy < 0) _exit(1);
  if (birth.ids->change_ids && TakeIds(birth.ids->init_uid, birth.ids->clear_groups) != 0) _exit(1);
  char name[] = "init";                  // NOLINT(modernize-avoid-c-arrays): execve's interface
  char* const argv[] = {name, nullptr};  // NOLINT(modernize-avoid-c-arrays)
  char* const env[] = {nullptr};         // NOLINT(modernize-avoid-c-arrays)
  syscall(SYS_execveat, kBranchReaper, "", argv, env, AT_EMPTY_PATH);
  _exit(1);
}

}  // namespace

int ForkBranches(const IdPlan& ids, int count) {
  if (count < 1 || count > kBranchesMax) return -EINVAL;
  // NOLINTNEXTLINE(cert-err52-cpp): the only way from another stack back to this one
  if (const int place = setjmp(back); place != 0) return births[static_cast<std::size_t>(place) - 1].request;
  turn = 0;
  int failed = 0;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  std::size_t made = 0;
  for (; made < static_cast<std::size_t>(count) && failed == 0; ++made) {
    Birth& birth = births[made];
    birth = {&ids, static_cast<std::uint32_t>(made), -1};
    alive[made] = 1;
    Stack& stack = branch_stacks[made];
    if (clone(RunBranchInit, stack.data() + stack.size(), static_cast<int>(kBranchCloneFlags), &birth,
              nullptr, nullptr, &alive[made]) < 0) {
      failed = -errno;
      alive[made] = 0;
    }
  }
  // Till the last of them is the reaper, or dead.
  for (std::size_t i = 0; i < made; ++i) {
    while (alive[i] != 0) WaitWhile(alive[i], 1);
  }
  if (WaitAt(BranchPoint::kOrigin, -failed) < 0 && failed == 0) failed = -ECANCELED;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  return failed == 0 ? -ECANCELED : failed;
}

}  // namespace casemate
