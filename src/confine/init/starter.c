/* The init of a container that an OCI runtime makes: starts the program as the runtime cannot, reaps, and tells the
 * engine how it ended. The runtime gives it descriptors in a row, since that is all that `--preserve-fds` can do; the
 * program finds them where every tier has them.
 *
 * Freestanding, static, no C library, not dumpable. It runs with the program's own ids and without capabilities;
 * as pid 1 it cannot be killed from inside, but in gVisor by SIGKILL, which ends the run.
 *
 * It installs the filter of system calls, for the program and then for itself: a runtime that is given the rules would
 * translate them at each start, for 3 ms in runc and 60 in gVisor, which answers every refusal with EPERM besides.
 *
 * A program that has a network is given its only way out before it starts: a listener on the loopback, and beside the
 * program a process (src/isolation/oci/inside) that carries its connections to the engine. No signal but SIGKILL and
 * SIGSTOP does anything to that, and no descriptor of it is the program's.
 *
 * Arguments: the program's limit of open files; of processes, 0 where something else holds it; "c" for a control
 * channel, "-" for none, and behind that, where there is a network, what its way out is told; how many instructions the
 * filter has; how many paths follow; these paths, which are tried in order; the program's words.
 * Descriptors:
 *   3  takes records of two 32-bit numbers: what, and a value (src/isolation/oci/start_record.h)
 *   4  takes one byte when the program has ended
 *   5  the filter, then secrets as "NAME=value\0..."; its end says that the program may start
 *   6  request channel   7  result channel, where there is a control channel
 * and the next two, where there is a network: from the engine, to the engine.
 */
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/in.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/signal.h>

#include "calls.h"

enum { RECORDS = 3, ENDED = 4, SECRETS = 5, REQUEST = 6, RESULT = 7, REQUEST_INSIDE = 1100, RESULT_INSIDE = 1101 };
enum { READY = 1, STARTED = 2, FAILED = 3, OVER = 4, NO_WAY_OUT = 5 };
enum { WAIT_ANY = -1, INTERRUPTED = -4, NOT_FOUND = -2, NO_FOLDER = -20, TOO_LONG = -7 };
enum { NOT_PERMITTED = -1 };
enum { SET_MASK = 2, SIGNALS_SIZE = 8 };
/* Where the way out finds its descriptors. */
enum { FROM_ENGINE = 0, TO_ENGINE = 1, LISTENER = 3, PROGRAM_ENDED = 4 };
enum { PROXY_PORT = 3128, BACKLOG = 512, LAST_WORDS_MS = 300 };
enum { UNIX = 1, INTERNET = 2, STREAM = 1, NO_WAIT = 04000, CLOSE_ON_EXEC = 02000000, SHUT_WRITE = 1 };
enum { SECRETS_MAX = 1 << 20, WORDS_MAX = 1024, FILTER_MAX = 4096 };

static char secrets[SECRETS_MAX];
static struct sock_filter filter[FILTER_MAX];
static char* environment[WORDS_MAX + 1];

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call start\n");
#else
__asm__(".globl _start\n_start:\n  mov x0, sp\n  bl start\n");
#endif

/* gVisor does not keep the program's signals from pid 1, as Linux does (pid_namespaces(7)). */
static void block(unsigned long signals) {
  call(__NR_rt_sigprocmask, SET_MASK, (long)&signals, 0, SIGNALS_SIZE, 0);
}

static void tell(int what, int value) {
  const int record[2] = {what, value};
  call(__NR_write, RECORDS, (long)record, sizeof(record), 0, 0);
}

static long number(const char* text) {
  long value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10 + (*text - '0');
  return value;
}

/* Reads until there are `most` bytes, or the engine closes its end; the bytes read, or a negative errno. */
static long take(char* into, long most) {
  long size = 0;
  while (size < most) {
    const long count = call(__NR_read, SECRETS, (long)(into + size), most - size, 0, 0);
    if (count == INTERRUPTED) continue;
    if (count < 0) return count;
    if (count == 0) break;
    size += count;
  }
  return size;
}

static long take_secrets(void) {
  const long size = take(secrets, SECRETS_MAX);
  return size == SECRETS_MAX ? TOO_LONG : size;
}

/* For this process and all that it starts. 0, or a negative errno; then nothing is to be executed. */
static int install_filter(long length) {
  const struct sock_fprog program = {(unsigned short)length, filter};
  const long failed = call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0);
  if (failed < 0) return (int)failed;
  return call(__NR_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER ? 0 : NOT_PERMITTED;
}

static int fill_environment(char** given, long secret_bytes) {
  int words = 0;
  for (; *given != 0 && words < WORDS_MAX; ++given) environment[words++] = *given;
  for (long at = 0; at < secret_bytes && words < WORDS_MAX; ++at) {
    environment[words++] = secrets + at;
    while (at < secret_bytes && secrets[at] != 0) ++at;
  }
  return words < WORDS_MAX ? 0 : TOO_LONG;
}

/* Why the program was not executed, a negative errno: told by the child, which has this memory until it executes. */
static volatile int not_executed;

struct program {
  char** paths;
  long count;
  char** words;
  unsigned long open_files;
  unsigned long processes; /* 0: not limited here */
  long filter_length;
};

static void limit(int resource, unsigned long value) {
  const struct rlimit64 both = {value, value};
  call(__NR_prlimit64, 0, resource, (long)&both, 0, 0);
}

/* The child, on the stack of its parent: it never goes back there. Of several failures it tells the most telling:
 * that a file is there and cannot be executed. */
__attribute__((noinline, noreturn)) static void execute(const struct program* program) {
  block(0);
  call(__NR_setsid, 0, 0, 0, 0, 0);
  limit(RLIMIT_NOFILE, program->open_files);
  if (program->processes != 0) limit(RLIMIT_NPROC, program->processes);
  not_executed = install_filter(program->filter_length);
  if (not_executed != 0) leave(127);
  int failed = NOT_FOUND;
  for (long i = 0; i < program->count; ++i) {
    const int error =
        (int)call(__NR_execve, (long)program->paths[i], (long)program->words, (long)environment, 0, 0);
    if (error != NOT_FOUND && error != NO_FOLDER) failed = error;
  }
  not_executed = failed;
  leave(127);
  __builtin_unreachable();
}

/* As vfork(2): nothing is copied, and this comes back when the child has executed the program or has ended. Both are on
 * one stack meanwhile, so nothing of the parent's is kept in this frame: what comes back is in a register. The program's
 * process id, or a negative errno. */
__attribute__((noinline)) static long start_program(const struct program* program) {
  const long child = call(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) execute(program);
  return child;
}

/* What is given to the process that carries connections, and what this one keeps of it. */
struct way_out {
  int from_engine; /* 0: there is no network */
  int listener;
  int ended[2]; /* its other end is ours */
};

static int listen_for(struct way_out* way) {
  struct sockaddr_in address = {.sin_family = INTERNET,
                                .sin_port = __builtin_bswap16(PROXY_PORT),
                                .sin_addr = {__builtin_bswap32(INADDR_LOOPBACK)}};
  way->listener = (int)call(__NR_socket, INTERNET, STREAM | NO_WAIT | CLOSE_ON_EXEC, 0, 0, 0);
  if (way->listener < 0) return way->listener;
  int failed = (int)call(__NR_bind, way->listener, (long)&address, sizeof(address), 0, 0);
  if (failed == 0) failed = (int)call(__NR_listen, way->listener, BACKLOG, 0, 0, 0);
  if (failed == 0) failed = (int)call(__NR_socketpair, UNIX, STREAM | CLOSE_ON_EXEC, 0, (long)way->ended, 0);
  return failed;
}

/* The child, as execute(). Of the program's own descriptors it keeps none. Signals stay blocked. */
__attribute__((noinline, noreturn)) static void carry(const struct way_out* way, char* told, long filter_length) {
  char* words[] = {(char*)"/casemate/egress", told, 0};
  char* nothing[] = {0};
  call(__NR_dup3, way->from_engine, FROM_ENGINE, 0, 0, 0);
  call(__NR_dup3, way->from_engine + 1, TO_ENGINE, 0, 0, 0);
  call(__NR_close, 2, 0, 0, 0, 0);
  call(__NR_dup3, way->listener, LISTENER, 0, 0, 0);
  call(__NR_dup3, way->ended[1], PROGRAM_ENDED, 0, 0, 0);
  for (int fd = REQUEST_INSIDE; fd <= RESULT_INSIDE; ++fd) call(__NR_close, fd, 0, 0, 0, 0);
  not_executed = install_filter(filter_length);
  if (not_executed != 0) leave(127);
  not_executed = (int)call(__NR_execve, (long)words[0], (long)words, (long)nothing, 0, 0);
  leave(127);
  __builtin_unreachable();
}

/* As start_program(). */
__attribute__((noinline)) static long start_carrier(const struct way_out* way, char* told, long filter_length) {
  const long carrier = call(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (carrier == 0) carry(way, told, filter_length);
  return carrier;
}

/* 0, or a negative errno; then nothing is to be started. */
static int open_way_out(struct way_out* way, char* told, long filter_length) {
  for (int fd = way->from_engine; fd <= way->from_engine + 1; ++fd) call(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0);
  int failed = listen_for(way);
  if (failed < 0) return failed;
  const long carrier = start_carrier(way, told, filter_length);
  if (carrier < 0) return (int)carrier;
  for (int fd = way->from_engine; fd <= way->from_engine + 1; ++fd) call(__NR_close, fd, 0, 0, 0, 0);
  call(__NR_close, way->listener, 0, 0, 0, 0);
  call(__NR_close, way->ended[1], 0, 0, 0, 0);
  return not_executed;
}

/* Lets out what the program sent last. The program may have stopped who does that: nobody waits long for it. */
static void close_way_out(const struct way_out* way) {
  struct pollfd over = {way->ended[0], POLLIN, 0};
  const struct __kernel_timespec patience = {0, LAST_WORDS_MS * 1000000L};
  call(__NR_shutdown, way->ended[0], SHUT_WRITE, 0, 0, 0);
  call(__NR_ppoll, (long)&over, 1, (long)&patience, 0, 0);
}

static void reap(long program, const struct way_out* way) {
  for (;;) {
    int status = 0;
    const long pid = call(__NR_wait4, WAIT_ANY, (long)&status, 0, 0, 0);
    if (pid == INTERRUPTED || (pid > 0 && pid != program)) continue;
    if (pid == program) tell(OVER, status);
    if (way->from_engine != 0) close_way_out(way);
    call(__NR_write, ENDED, (long)"e", 1, 0, 0);
    leave(0);
  }
}

static void place_channels(void) {
  call(__NR_dup3, REQUEST, REQUEST_INSIDE, 0, 0, 0);
  call(__NR_dup3, RESULT, RESULT_INSIDE, 0, 0, 0);
  call(__NR_close, REQUEST, 0, 0, 0, 0);
  call(__NR_close, RESULT, 0, 0, 0, 0);
}

__attribute__((noreturn, used)) void start(long* stack) {
  char** words = (char**)(stack + 1);
  char** given = words + stack[0] + 1;
  const int control = words[3][0] == 'c';
  char* const told = words[3] + 1;
  struct way_out way = {*told == 0 ? 0 : (control ? RESULT : SECRETS) + 1, -1, {-1, -1}};
  const long filter_length = number(words[4]);
  const long paths = number(words[5]);
  const struct program program = {
      words + 6,    paths, words + 6 + paths, (unsigned long)number(words[1]), (unsigned long)number(words[2]),
      filter_length};
  int failed = 0;
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  block(~0UL);
  tell(READY, 0);
  const long filter_bytes = filter_length * (long)sizeof(struct sock_filter);
  if (filter_length > FILTER_MAX) failed = TOO_LONG;
  if (failed == 0 && take((char*)filter, filter_bytes) != filter_bytes) failed = NOT_PERMITTED;
  const long secret_bytes = failed != 0 ? failed : take_secrets();
  call(__NR_close, SECRETS, 0, 0, 0, 0);
  for (int fd = RECORDS; fd <= ENDED; ++fd) call(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0);
  if (control) place_channels();
  failed = secret_bytes < 0 ? (int)secret_bytes : fill_environment(given, secret_bytes);
  if (failed == 0 && way.from_engine != 0) {
    failed = open_way_out(&way, told, filter_length);
    if (failed != 0) {
      tell(NO_WAY_OUT, -failed);
      leave(1);
    }
  }
  long child = failed != 0 ? failed : start_program(&program);
  if (child > 0 && not_executed != 0) child = not_executed;
  /* gVisor runs the whole filter over all numbers for who is filtered, and again for the child of one who is. So the
   * child has installed its own; this one is made while the interpreter starts, and nothing is told before. */
  if (child > 0 && (failed = install_filter(filter_length)) != 0) child = failed;
  if (child < 0) {
    tell(FAILED, (int)-child);
    leave(1);
  }
  for (int fd = 0; fd < RECORDS; ++fd) call(__NR_close, fd, 0, 0, 0, 0);
  for (int fd = REQUEST_INSIDE; fd <= RESULT_INSIDE; ++fd) call(__NR_close, fd, 0, 0, 0, 0);
  for (long at = 0; at < secret_bytes; ++at) ((volatile char*)secrets)[at] = 0;
  tell(STARTED, 0);
  reap(child, &way);
  __builtin_unreachable();
}
