# what: Uses processor time without end.
# expect: status=cpu_limit
# flags: --cpu-time 1s --timeout 20s
# wall_ms_max: 4000
while True:
    pass
