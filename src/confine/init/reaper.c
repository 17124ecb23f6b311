/* The sandbox's init: pid 1, the only process in it that is ours while the program runs.
 *
 * Freestanding, static, no C library: some 1 KiB, nothing of the engine in its memory, an empty environment,
 * not dumpable, and under other ids than the program. It reaps whatever is orphaned, and ends as soon as the
 * program (its first child, pid 2) has ended or the engine is gone; the kernel then kills everything else
 * in the pid namespace (pid_namespaces(7)).
 *
 * Descriptors, set up by src/confine/apply.cc:
 *   3  lifeline: at its end when the engine is gone
 *   4  takes the program's wait status, 4 bytes
 */
#include <asm/unistd.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/signalfd.h>

enum { LIFELINE = 3, STATUS = 4, PROGRAM = 2, WAIT_ANY = -1, NO_HANG = 1, INTERRUPTED = -4 };

#if defined(__x86_64__)
static long call(long number, long a, long b, long c, long d, long e) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c, long d, long e) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
}
#else
#error "unknown architecture"
#endif

static void leave(int code) {
  for (;;) call(__NR_exit_group, code, 0, 0, 0, 0);
}

/* Reaps all that is dead; does not come back once the program is among them. */
static void reap(void) {
  for (;;) {
    int status = 0;
    const long pid = call(__NR_wait4, WAIT_ANY, (long)&status, NO_HANG, 0, 0);
    if (pid == INTERRUPTED) continue;
    if (pid <= 0) return;
    if (pid == PROGRAM) {
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
  for (;;) {
    reap();
    const long ready = call(__NR_ppoll, (long)watched, 2, 0, 0, 0);
    if (ready == INTERRUPTED) continue;
    if (ready < 0 || watched[1].revents != 0) leave(1);
    char taken[128];
    call(__NR_read, watched[0].fd, (long)taken, sizeof(taken), 0, 0);
  }
}
