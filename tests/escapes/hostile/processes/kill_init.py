# what: Sends every signal to the init of the sandbox, also by descriptor, thread and queue.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=process ids of the host can be asked for here (pid_space is not claimed), and the program stops at that
# in_gvisor: expect=status=error|ok
# in_gvisor: why=gVisor lets a program kill the init of its own container, which ends its run
# in_microvm: expect=status=error|ok|failed
# in_microvm: why=a program may end the attendant of its own guest, which ends its run
import time

# Without a pid namespace this would hit the host: that alone is the escape, and nothing more is tried.
visible = outcome(lambda: os.kill(int(os.environ["PROBE_HOST_PID"]), 0))[1] != "ESRCH"
attempts.holds("own processes only", not visible, visible)
if visible:
    raise SystemExit("a process of the host is visible")
# Where the host maps one id only, the init shares it: a signal may be accepted, and the kernel drops it.
shared = sum(int(line.split()[2]) for line in open("/proc/self/uid_map")) == 1


def signalled(name, answer):
    attempts.holds(name, answer[0] < 0 or shared, answer[1] or "dropped")


for number in range(1, 65):
    signalled(f"kill(1, {number})", outcome(lambda: os.kill(1, number)))
signalled("tgkill", raw(234, 1, 1, 9))
signalled("tkill", raw(200, 1, 9))
attempts.failed("rt_sigqueueinfo", raw(129, 1, 9, bytes(128)))
descriptor = raw(434, 1, 0)
attempts.evidence["pidfd_open"] = descriptor[1] or "open"
if descriptor[0] >= 0:
    signalled("pidfd_send_signal", raw(424, descriptor[0], 9, None, 0))
time.sleep(0.2)
attempts.holds("the init lives", raw(434, os.getpid(), 0)[0] != 0 and os.getppid() <= 1, os.getppid())
result = attempts.result()
