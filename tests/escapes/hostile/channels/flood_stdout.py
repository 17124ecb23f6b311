# what: Floods stdout for ever.
# expect: status=output_limit
# flags: --timeout 20s
# wall_ms_max: 10000
# stdout_prefix: xxxxxxxxxxxxxxxx
# supervisor_rss_max: 24m
import os

block = b"x" * 65536
while True:
    os.write(1, block)
