/* The sandbox's init: pid 1, the only process in it that is ours while the program runs.
 *
 * Freestanding, static, no C library: some 1 KiB, nothing of the engine in its memory, an empty environment,
 * not dumpable, and under other ids than the program. It reaps whatever is orphaned, and ends as soon as the
 * program (its first child, pid 2) has ended or the engine is gone; the kernel then kills everything else
 * in the pid namespace (pid_namespaces(7)).
 *
 * Descriptors, set up by src/confine/apply.cc:
 *   3  lifeline: at its end when the engine is gone. A byte there says that the program is about to be killed
 *      and that this pid namespace is to stay, for the branches below it (isolation/container/branching.cc)
 *   4  takes the program's wait status, 4 bytes
 */
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/signalfd.h>

#include "calls.h"

enum { LIFELINE = 3, STATUS = 4, PROGRAM = 2, WAIT_ANY = -1, NO_HANG = 1, INTERRUPTED = -4 };

/* Takes what the lifeline says: whether this is to stay. Does not come back at the lifeline's end. */
static int look(void) {
  struct pollfd lifeline;
  lifeline.fd = LIFELINE;
  lifeline.events = POLLIN;
  /* Not on the stack, which is not aligned here as a compiler expects; the kernel bears read-only memory. */
  static const long none[2] = {0, 0};
  if (call(__NR_ppoll, (long)&lifeline, 1, (long)none, 0, 0) <= 0) return 0;
  char byte;
  if (call(__NR_read, LIFELINE, (long)&byte, 1, 0, 0) != 1) leave(1);
  return 1;
}

/* Reaps all that is dead; does not come back once the program is among them. */
static int reap(int stays) {
  for (;;) {
    int status = 0;
    const long pid = call(__NR_wait4, WAIT_ANY, (long)&status, NO_HANG, 0, 0);
    if (pid == INTERRUPTED) continue;
    if (pid <= 0) return stays;
    if (pid == PROGRAM && !stays) stays = look();
    if (pid == PROGRAM && !stays) {
      call(__NR_write, STATUS, (long)&status, sizeof(status), 0, 0);
      leave(0);
    }
  }
}

void _start(void) {
  const unsigned long child_died = 1UL << (SIGCHLD - 1);
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&child_died, 0, sizeof(child_died), 0);
  struct pollfd watched[2];
  watched[0].fd = (int)call(__NR_signalfd4, -1, (long)&child_died, sizeof(child_died), 0, 0);
  watched[0].events = POLLIN;
  watched[1].fd = LIFELINE;
  watched[1].events = POLLIN;
  if (watched[0].fd < 0) leave(1);
  /* A child that died before the signal was blocked is found by the first look. */
  int stays = 0;
  for (;;) {
    stays = reap(stays);
    const long ready = call(__NR_ppoll, (long)watched, 2, 0, 0, 0);
    if (ready == INTERRUPTED) continue;
    if (ready < 0) leave(1);
    if (watched[1].revents != 0) stays = look() || stays;
    char taken[128];
    if (watched[0].revents != 0) call(__NR_read, watched[0].fd, (long)taken, sizeof(taken), 0, 0);
  }
}
