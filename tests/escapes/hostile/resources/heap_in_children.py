# what: Lets children take the memory, each less than the limit, while the parent stays innocent.
# expect: status=memory_limit
# flags: --memory 64m --timeout 20s
# wall_ms_max: 15000
# memory_peak_max: 68m
import os
import time

for _ in range(6):
    if os.fork() == 0:
        held = bytearray(b"x" * (24 << 20))
        time.sleep(60)
while True:
    os.wait()
