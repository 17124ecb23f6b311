# what: Looks for the process that it was forked from, to signal, trace, wait for or outlive it.
# expect: contained
# uses: attempts
# in_process: rests_on=pid_space
# in_process: why=its parent is the keeper, which has a process id of the host
# in_microvm: expect=status=ok
# in_microvm: why=the processes that can be named are the guest's own
import signal

KILL, PTRACE, PIDFD_OPEN, PROCESS_VM_READV, KCMP, SETPGID, TGKILL = 62, 101, 434, 310, 312, 109, 234

attempts.holds("parent", os.getppid() == 1, os.getppid())
attempts.holds("session is its own", os.getsid(0) == os.getpid(), os.getsid(0))
attempts.holds("group is its own", os.getpgid(0) == os.getpid(), os.getpgid(0))
seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
attempts.holds("processes", set(seen) <= {1, os.getpid()}, str(seen))
attempts.failed("a child to wait for", outcome(lambda: os.waitpid(-1, os.WNOHANG)[0]))
opened = [number for number in [0, *range(3, 300)] if number != os.getpid() and raw(PIDFD_OPEN, number, 0)[0] >= 0]
attempts.holds("pidfds of others", not opened, str(opened))
attempts.failed("group 0's leader outside", raw(KILL, -0x7FFFFFFF, signal.SIGKILL))
attempts.failed("traced", raw(PTRACE, 16, 1, 0, 0))
attempts.failed("read", raw(PROCESS_VM_READV, 1, b"\0" * 16, 1, b"\0" * 16, 1, 0))
attempts.failed("compared", raw(KCMP, os.getpid(), 1, 0, 0, 0))
attempts.failed("group of init's", raw(SETPGID, os.getpid(), 1))
result = attempts.result()
