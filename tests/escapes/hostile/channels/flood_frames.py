# what: Floods the result's descriptor with well-formed frames: displays, results, unknown types.
# expect: status=result_invalid|output_limit|timeout|error|ok|cpu_limit
# flags: --timeout 3s
# wall_ms_max: 6000
# supervisor_rss_max: 48m
import os

body = b'{"text/plain": "' + b"d" * 4000 + b'"}'
frames = b"".join(kind + len(body).to_bytes(4, "little") + body for kind in (b"D", b"R", b"?", b"E", b"T", b"\0"))
while True:
    os.write(1101, frames)
