# what: Uses ptrace on its own child, the usual way to change a system call after the filter has seen it.
# expect: contained
# uses: attempts
import signal
import time

child = os.fork()
if child == 0:
    time.sleep(20)
    os._exit(0)
attempts.refused("attach", raw(101, 16, child, None, None))
attempts.refused("seize", raw(101, 0x4206, child, None, None))
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
attempts.holds("traceme", in_child(lambda: 0 if raw(101, 0, 0, None, None)[0] < 0 else 7) == "exit 0", "in a child")
result = attempts.result()
