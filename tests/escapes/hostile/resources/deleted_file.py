# what: Fills the disk through a file that is already deleted.
# expect: status=disk_limit
# rests_on: memory
# flags: --tmp-size 16m --timeout 20s
# wall_ms_max: 10000
import tempfile

with tempfile.TemporaryFile() as file:
    while True:
        file.write(b"x" * (1 << 20))
