# what: Floods the result's own descriptor with one endless frame.
# expect: status=result_invalid|output_limit|timeout|error|ok
# flags: --timeout 3s
# wall_ms_max: 6000
# supervisor_rss_max: 24m
# host_check: no_processes
import os

os.write(1101, b"R" + (2**32 - 1).to_bytes(4, "little"))
while True:
    os.write(1101, b"[" * 65536)
