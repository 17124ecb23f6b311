# what: kill(-1, SIGKILL) and signals to its own process group, session and parent.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=process ids of the host can be asked for here (pid_space is not claimed), and the program stops at that
# in_gvisor: expect=status=error|ok
# in_gvisor: why=gVisor lets a program kill the init of its own container, which ends its run
# in_microvm: expect=status=error|ok|failed
# in_microvm: why=a program may end the attendant of its own guest, which ends its run
import signal

# Without a pid namespace this would hit the host: that alone is the escape, and nothing more is tried.
visible = outcome(lambda: os.kill(int(os.environ["PROBE_HOST_PID"]), 0))[1] != "ESRCH"
attempts.holds("own processes only", not visible, visible)
if visible:
    raise SystemExit("a process of the host is visible")
# kill(-1) spares its caller; nobody else may be there to be hit.
attempts.failed("kill(-1)", outcome(lambda: os.kill(-1, signal.SIGKILL)))
# Where the host maps one id only, the init shares it: a signal may be accepted, and the kernel drops it.
shared = sum(int(line.split()[2]) for line in open("/proc/self/uid_map")) == 1
for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGUSR1, 0):
    value, error = outcome(lambda: os.kill(1, number))
    attempts.holds(f"kill(1, {int(number)})", value < 0 or shared, error or "dropped")
attempts.holds("alive", os.getppid() <= 1, os.getppid())
result = attempts.result()
