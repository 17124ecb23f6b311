# what: Makes folders and symbolic links without end in every writable place.
# expect: status=disk_limit
# flags: --timeout 60s
# wall_ms_max: 40000
# in_process: expect=status=error
# in_process: why=the host's /dev/shm is closed, and there is no other
import os

for index in range(400000):
    for folder in ("/tmp", "/workspace", "/dev/shm"):
        os.mkdir(f"{folder}/d{index}")
        os.symlink("x" * 200, f"{folder}/l{index}")
print("ESCAPED: 2.4 million entries")
