# what: Makes mappings until the kernel gives no more, which costs memory outside the pages.
# expect: contained|status=memory_limit
# uses: attempts
# flags: --memory 64m --timeout 20s
# wall_ms_max: 20000
# memory_peak_max: 68m
_libc.mmap.restype = ctypes.c_void_p
SPARE = 500
spare = [_libc.mmap(None, ctypes.c_size_t(8192), 3 if n % 2 else 1, 0x22, -1, ctypes.c_long(0)) for n in range(SPARE)]
count = 0
while count < 200000:
    # Neighbours differ in protection, so that they are not merged.
    area = _libc.mmap(None, ctypes.c_size_t(4096), 3 if count % 2 else 1, 0x22, -1, ctypes.c_long(0))
    if area in (None, 2**64 - 1):
        break
    count += 1
# The interpreter itself needs some to go on.
for address in spare:
    _libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(8192))
attempts.holds("mappings", count < 200000, count)
result = attempts.result()
