# what: Leaves a daemon that closed all channels, so that nobody waits for it.
# expect: contained
# uses: attempts
# wall_ms_max: 4000
# host_check: no_processes
import time

for _ in range(20):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 2000)
            time.sleep(1000)
        os._exit(0)
attempts.evidence["daemons"] = 20
result = attempts.result()
