# what: Fills the folder for temporary files in its last moment, between two looks at it.
# expect: status=disk_limit
# flags: --tmp-size 16m --timeout 20s
# wall_ms_max: 10000
import os
import sys
import tempfile

file = os.open(os.path.join(tempfile.gettempdir(), "fill"), os.O_WRONLY | os.O_CREAT)
try:
    for _ in range(24):
        os.write(file, b"x" * (1 << 20))
except OSError:
    pass
sys.exit(1)
