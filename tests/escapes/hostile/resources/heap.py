# what: Takes memory from the heap without end.
# expect: status=memory_limit
# rests_on: memory
# flags: --memory 64m --timeout 20s
# wall_ms_max: 15000
# memory_peak_max: 68m
# host_check: no_processes
held = []
while True:
    held.append(bytearray(1 << 20))
