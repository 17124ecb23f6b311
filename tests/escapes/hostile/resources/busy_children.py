# what: Spreads its processor time over children and grandchildren, each below the limit.
# expect: status=cpu_limit
# flags: --cpu-time 1s --timeout 20s --cpus 2
# wall_ms_max: 8000
# host_check: no_processes
import os
import time

while True:
    if os.fork() == 0:
        end = time.process_time() + 0.15
        while time.process_time() < end:
            pass
        os._exit(0)
    os.wait()
