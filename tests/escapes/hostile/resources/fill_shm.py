# what: Fills /dev/shm.
# expect: status=disk_limit
# flags: --tmp-size 16m --timeout 20s
# wall_ms_max: 10000
# in_process: expect=status=error
# in_process: why=the host's /dev/shm is closed, and there is no other
with open("/dev/shm/fill", "wb", 0) as file:
    while True:
        if file.write(b"x" * (1 << 20)) == 0:
            raise OSError(28, "full")
