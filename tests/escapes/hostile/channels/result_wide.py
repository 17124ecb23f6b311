# what: A result that is small in memory and endless as text.
# expect: status=result_invalid|memory_limit|timeout
# flags: --timeout 10s
# wall_ms_max: 13000
row = ["x" * 1000] * 1000
for _ in range(6):
    row = [row] * 100
result = row
