# what: A child is killed for memory and its parent says that all went well.
# expect: status=memory_limit
# rests_on: memory
# flags: --memory 64m --timeout 20s
# wall_ms_max: 15000
import os

child = os.fork()
if child == 0:
    held = []
    while True:
        held.append(b"x" * (1 << 20))
os.waitpid(child, 0)
result = "all went well"
