# what: Leaves a daemon behind: double fork, new session, signals ignored, output kept open.
# expect: contained
# uses: attempts
# flags: --timeout 20s
# wall_ms_max: 4000
# host_check: no_processes
import signal
import time

child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        while True:
            time.sleep(1000)
    os._exit(0)
os.waitpid(child, 0)
attempts.evidence["daemon"] = "started"
result = attempts.result()
