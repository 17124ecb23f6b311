# what: Makes a million tiny files.
# expect: status=disk_limit
# flags: --timeout 60s
# wall_ms_max: 40000
import os

for index in range(1000000):
    os.close(os.open(f"/tmp/{index}", os.O_CREAT | os.O_WRONLY))
print("ESCAPED: a million files")
