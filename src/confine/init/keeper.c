/* The keeper of a program that has no pid namespace: its parent, and by PR_SET_CHILD_SUBREAPER the parent of
 * whatever its descendants leave behind, so that nothing of the tree is ever out of its sight.
 *
 * Freestanding, static, no C library: nothing of the engine in its memory, an empty environment, not dumpable. It
 * reaps, and when the program has ended or the engine is gone or wants the end, it kills until nothing is left;
 * only then does it end itself.
 *
 * Arguments: the program's pid, and "own" where the program's user id is nobody else's.
 * Descriptors, set up by src/confine/process_apply.cc:
 *   3  lifeline: at its end when the engine is gone, or wants the tree to end
 *   4  takes the program's wait status, 4 bytes
 *   5  this process's list of children (proc(5), /proc/thread-self/children)
 *   6  the lock of the run's folder, held as long as any of the tree may live
 */
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/signalfd.h>
#include <linux/time.h>
#include <linux/resource.h>

#include "calls.h"

enum { LIFELINE = 3, STATUS = 4, CHILDREN = 5, NO_HANG = 1, INTERRUPTED = -4, NO_CHILDREN = -10 };
enum { WAIT_ANY = -1, EVERYBODY = -1, PASS_NS = 500000 };

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call keep\n");
#else
__asm__(".globl _start\n_start:\n  mov x0, sp\n  bl keep\n");
#endif

static long program;
static int program_told;

static void tell(int status) {
  program_told = 1;
  call(__NR_write, STATUS, (long)&status, sizeof(status), 0, 0);
}

/* Reaps all that is dead: 0 when children are left, NO_CHILDREN when none is. */
static long reap(void) {
  for (;;) {
    int status = 0;
    const long pid = call(__NR_wait4, WAIT_ANY, (long)&status, NO_HANG, 0, 0);
    if (pid == INTERRUPTED) continue;
    if (pid == 0) return 0;
    if (pid < 0) return NO_CHILDREN;
    if (pid == program) tell(status);
  }
}

/* A child that was told to die and may not fork any more; its own children come to us with its end. */
static void end_child(long pid) {
  struct rlimit64 none = {0, 0};
  call(__NR_prlimit64, pid, RLIMIT_NPROC, (long)&none, 0, 0);
  call(__NR_kill, pid, SIGKILL, 0, 0, 0);
}

static void end_children(void) {
  char text[4096];
  long pid = 0;
  call(__NR_lseek, CHILDREN, 0, 0, 0, 0);
  for (;;) {
    const long count = call(__NR_read, CHILDREN, (long)text, sizeof(text), 0, 0);
    if (count <= 0) break;
    for (long i = 0; i < count; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else {
        if (pid > 1) end_child(pid);
        pid = 0;
      }
    }
  }
  if (pid > 1) end_child(pid);
}

static void end_tree(int own_id) {
  const struct timespec pause = {0, PASS_NS};
  for (;;) {
    /* One step of the kernel, in which nobody forks: but only where it means nobody else. */
    if (own_id) call(__NR_kill, EVERYBODY, SIGKILL, 0, 0, 0);
    /* Several looks before any is reaped: the dead count as processes, so one who forks and ends without
     * pause comes to the end of its limit. */
    for (int look = 0; look < 3; ++look) end_children();
    if (reap() == NO_CHILDREN) leave(program_told ? 0 : 1);
    call(__NR_ppoll, 0, 0, (long)&pause, 0, 0);
  }
}

__attribute__((noreturn, used)) void keep(const long* stack) {
  const char* pid = (const char*)stack[2];
  const int own_id = ((const char*)stack[3])[0] == 'o';
  const unsigned long blocked = 1UL << (SIGCHLD - 1) | 1UL << (SIGPIPE - 1);
  const unsigned long child_died = 1UL << (SIGCHLD - 1);
  for (; *pid != 0; ++pid) program = program * 10 + (*pid - '0');
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&blocked, 0, sizeof(blocked), 0);
  struct pollfd watched[2];
  watched[0].fd = (int)call(__NR_signalfd4, -1, (long)&child_died, sizeof(child_died), 0, 0);
  watched[0].events = POLLIN;
  watched[1].fd = LIFELINE;
  watched[1].events = POLLIN;
  /* A child that died before the signal was blocked is found by the first look. */
  while (watched[0].fd >= 0 && !program_told) {
    if (reap() == NO_CHILDREN || program_told) break;
    const long ready = call(__NR_ppoll, (long)watched, 2, 0, 0, 0);
    if (ready == INTERRUPTED) continue;
    if (ready < 0 || watched[1].revents != 0) break;
    char taken[128];
    call(__NR_read, watched[0].fd, (long)taken, sizeof(taken), 0, 0);
  }
  end_tree(own_id);
  __builtin_unreachable();
}
