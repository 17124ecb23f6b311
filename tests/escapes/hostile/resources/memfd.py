# what: Keeps memory in memfds, which no process maps and no file system shows.
# expect: status=memory_limit
# rests_on: memory
# flags: --memory 64m --timeout 20s
# wall_ms_max: 15000
# memory_peak_max: 68m
import os

while True:
    descriptor = os.memfd_create("hidden")
    for _ in range(64):
        os.write(descriptor, b"x" * (1 << 20))
