# what: Floods stderr for ever.
# expect: status=output_limit
# flags: --timeout 20s
# wall_ms_max: 10000
# supervisor_rss_max: 24m
import os

block = b"y" * 65536
while True:
    os.write(2, block)
