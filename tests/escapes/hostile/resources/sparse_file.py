# what: Makes a file of a tebibyte that takes no space, and writes at its end.
# expect: contained|status=disk_limit
# uses: attempts
# flags: --collect ** --tmp-size 16m
# wall_ms_max: 10000
# supervisor_rss_max: 24m
# in_process: expect=status=error
# in_process: why=the host's /dev/shm is closed, and there is no other
for folder in ("/tmp", "/workspace", "/dev/shm"):
    with open(folder + "/sparse", "wb") as file:
        attempts.failed(f"truncate in {folder}", outcome(lambda: os.ftruncate(file.fileno(), 1 << 40)))
        attempts.failed(f"write far in {folder}", outcome(lambda: os.pwrite(file.fileno(), b"x", 1 << 40)))
        attempts.failed(f"allocate in {folder}", outcome(lambda: os.posix_fallocate(file.fileno(), 0, 1 << 30)))
result = attempts.result()
