# what: Lets twenty children flood stdout at once.
# expect: status=output_limit
# flags: --timeout 20s
# wall_ms_max: 10000
# host_check: no_processes
import os

for _ in range(20):
    if os.fork() == 0:
        while True:
            os.write(1, b"x" * 4096)
os.wait()
