# what: Fills /dev/shm beyond the memory limit, where the disk limit would allow more.
# expect: status=memory_limit|disk_limit
# flags: --memory 64m --tmp-size 512m --timeout 20s
# wall_ms_max: 15000
# memory_peak_max: 68m
# in_process: expect=status=error
# in_process: why=the host's /dev/shm is closed, and there is no other
with open("/dev/shm/fill", "wb") as file:
    for _ in range(400):
        file.write(b"x" * (1 << 20))
        file.flush()
print("ESCAPED: 400 MiB in shared memory")
