# what: Floods stdout and stderr in turn with single bytes, the most expensive way to be read.
# expect: status=output_limit|timeout|cpu_limit
# flags: --timeout 10s
# wall_ms_max: 13000
# supervisor_rss_max: 24m
import os

while True:
    os.write(1, b"o")
    os.write(2, b"e")
