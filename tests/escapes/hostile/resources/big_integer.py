# what: An endless computation inside one byte code instruction.
# expect: status=timeout|cpu_limit|memory_limit
# flags: --timeout 1s
# wall_ms_max: 2500
result = 7 ** (10 ** 9)
