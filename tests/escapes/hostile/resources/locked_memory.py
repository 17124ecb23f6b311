# what: Locks memory so that the kernel may never take it back.
# expect: contained|status=memory_limit
# uses: attempts
# flags: --memory 64m
# memory_peak_max: 68m
attempts.evidence["mlockall"] = raw(151, 7)[1] or "locked"
_libc.mmap.restype = ctypes.c_void_p
area = _libc.mmap(None, ctypes.c_size_t(48 << 20), 3, 0x22, -1, ctypes.c_long(0))
attempts.failed("mlock 48 MiB", raw(149, area, 48 << 20))
result = attempts.result()
