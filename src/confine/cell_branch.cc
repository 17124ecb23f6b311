// Theory of operation, after the pattern of cell.cc:
//
//   origin   clone(kBranchCloneFlags), once a copy                    [waits: asked for?]
//   init     pid 1 of new namespaces, on a stack of its own in the origin's memory
//            [waits at kInit: id maps, mounts, descriptors come from outside]
//            cgroups, fork, its own id, exec the reaper, which wakes the origin
//   copy     pid 2: closes every descriptor, drops the capabilities that came with the user namespace
//            [waits at kCopy: the origin is killed, the copy is looked at, channels come from outside]
//   origin   [waits at kOrigin for its death]
#include "confine/cell_branch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>

#include "confine/privileges.h"
#include "confine/steps.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

constexpr std::size_t kStackBytes = 64 * std::size_t{1024};
alignas(16) std::array<std::byte, kStackBytes> branch_stack;

struct Birth {
  const IdPlan& ids;
  int request = -1;  // a copy's descriptor
  jmp_buf back{};
};

// What the supervisor answers; negative when it refuses.
int WaitAt(BranchPoint point, int err = 0) {
  return static_cast<int>(syscall(SYS_unshare, 0UL, kBranchMark, static_cast<unsigned long>(point), err));
}

bool BecomeCopy(Birth& birth) {
  if (CloseRange(0, ~0U, 0) != 0) return false;
  if (setsid() < 0 || chdir("/workspace") != 0 || DropCapabilities() != 0) return false;
  birth.request = WaitAt(BranchPoint::kCopy);
  return birth.request > 0;
}

int RunBranchInit(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  const int tasks = WaitAt(BranchPoint::kInit);
  if (tasks < 0 || tasks > kBranchTasksMax) _exit(1);
  std::array<int, kBranchTasksMax> fds{};
  for (int i = 0; i < tasks; ++i) fds[static_cast<std::size_t>(i)] = kBranchTasks + i;
  if (EnterCgroups(std::span(fds).first(static_cast<std::size_t>(tasks))) != 0) _exit(1);
  CloseRange(0, 2, 0);
  if (CloseRange(kBranchTasks, ~0U, 0) != 0) _exit(1);
  const pid_t copy = fork();
  if (copy < 0) _exit(1);
  if (copy == 0) {
    if (!BecomeCopy(birth)) _exit(1);
    longjmp(birth.back, 1);  // NOLINT(cert-err52-cpp): back onto the interpreter's own stack
  }
  if (birth.ids.change_ids && TakeIds(birth.ids.init_uid, birth.ids.clear_groups) != 0) _exit(1);
  char name[] = "init";                  // NOLINT(modernize-avoid-c-arrays): execve's interface
  char* const argv[] = {name, nullptr};  // NOLINT(modernize-avoid-c-arrays)
  char* const env[] = {nullptr};         // NOLINT(modernize-avoid-c-arrays)
  syscall(SYS_execveat, kBranchReaper, "", argv, env, AT_EMPTY_PATH);
  _exit(1);
}

}  // namespace

int ForkBranches(const IdPlan& ids, int count) {
  Birth birth{ids};
  // NOLINTNEXTLINE(cert-err52-cpp): the only way from another stack back to this one
  if (setjmp(birth.back) != 0) return birth.request;
  int failed = 0;
  for (int i = 0; i < count && failed == 0; ++i) {
    // An init before this one has changed its ids, in memory that was this one's too (proc(5)).
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (clone(RunBranchInit, branch_stack.data() + branch_stack.size(), static_cast<int>(kBranchCloneFlags),
              &birth) < 0)
      failed = -errno;
  }
  if (WaitAt(BranchPoint::kOrigin, -failed) < 0 && failed == 0) failed = -errno;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  return failed == 0 ? -ECANCELED : failed;
}

}  // namespace casemate
