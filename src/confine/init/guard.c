/* The guard of an OCI runtime and all that it starts: pid 1 of the pid namespace around them, so that its end is the
 * end of all of them (pid_namespaces(7)).
 *
 * Freestanding, static, no C library, as the reaper. The runtime is its first child (pid 2), detaches from the
 * container and ends; the container, and gVisor's own processes, are then the guard's. It ends when the runtime
 * failed, when nothing is left, when the container's init says that the program has ended, or with the engine.
 *
 * Descriptors, set up by src/isolation/oci/runtime_child.cc:
 *   3  lifeline: at its end when the engine is gone
 *   4  takes the runtime's wait status, 4 bytes, and then that of each other process that a signal ended: from inside
 *      gVisor's own kernel the program cannot have sent it
 *   5  readable when the program has ended
 */
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/signalfd.h>

#include "calls.h"

enum { LIFELINE = 3, STATUS = 4, ENDED = 5, RUNTIME = 2, WAIT_ANY = -1, NO_HANG = 1, INTERRUPTED = -4 };

/* Ends all that it guards. The kernel would do so with the guard's end, but only when it has taken the guard's mounts
 * apart. */
__attribute__((noreturn)) static void end_all(void) {
  call(__NR_kill, -1, SIGKILL, 0, 0, 0);
  leave(0);
  __builtin_unreachable();
}

/* Reaps all that is dead; does not come back when nothing is left to guard. */
static void reap(void) {
  for (;;) {
    int status = 0;
    const long pid = call(__NR_wait4, WAIT_ANY, (long)&status, NO_HANG, 0, 0);
    if (pid == INTERRUPTED) continue;
    if (pid == 0) return;
    if (pid < 0) leave(0);
    if (pid != RUNTIME && (status & 127) == 0) continue;
    call(__NR_write, STATUS, (long)&status, sizeof(status), 0, 0);
    if (pid == RUNTIME && status != 0) leave(1);
  }
}

void _start(void) {
  const unsigned long child_died = 1UL << (SIGCHLD - 1);
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&child_died, 0, sizeof(child_died), 0);
  struct pollfd watched[3];
  watched[0].fd = (int)call(__NR_signalfd4, -1, (long)&child_died, sizeof(child_died), 0, 0);
  watched[1].fd = LIFELINE;
  watched[2].fd = ENDED;
  for (int i = 0; i < 3; ++i) watched[i].events = POLLIN;
  if (watched[0].fd < 0) leave(1);
  /* A child that died before the signal was blocked is found by the first look. */
  for (;;) {
    reap();
    const long ready = call(__NR_ppoll, (long)watched, 3, 0, 0, 0);
    if (ready == INTERRUPTED) continue;
    if (ready < 0 || watched[1].revents != 0 || (watched[2].revents & POLLIN) != 0) end_all();
    /* Closed without a word: what closed it is about to be reaped, and says how it ended. */
    if (watched[2].revents != 0) watched[2].fd = -1;
    char taken[128];
    call(__NR_read, watched[0].fd, (long)taken, sizeof(taken), 0, 0);
  }
}
