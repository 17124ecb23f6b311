# what: A fork bomb in Python that ignores failures.
# expect: status=process_limit
# flags: --timeout 6s --cpu-time 60s --pids-limit 32
# wall_ms_max: 9000
# host_check: no_processes
# in_gvisor: expect=status=timeout|error|ok
# in_gvisor: why=gVisor tells of its process limit to the program alone
import os

while True:
    try:
        os.fork()
    except OSError:
        continue
