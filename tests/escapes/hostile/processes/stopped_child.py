# what: Leaves stopped children, which do not die of ordinary signals.
# expect: contained
# uses: attempts
# wall_ms_max: 4000
# host_check: no_processes
import signal
import time

children = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(1000)
    children.append(child)
for child in children:
    _, status = os.waitpid(child, os.WUNTRACED)
    attempts.holds(str(child), os.WIFSTOPPED(status), status)
result = attempts.result()
