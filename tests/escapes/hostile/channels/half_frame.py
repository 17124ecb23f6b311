# what: Writes the head of a frame and ends, so that the reader waits for the rest.
# expect: status=ok|error|result_invalid
# wall_ms_max: 4000
import os

os.write(1101, b"R" + (1000).to_bytes(4, "little") + b'"half')
os._exit(0)
