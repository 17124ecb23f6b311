# what: Keeps memory in System V segments, which outlive the processes that made them.
# expect: status=memory_limit|contained
# rests_on: memory
# uses: attempts
# flags: --memory 64m --timeout 20s
# wall_ms_max: 15000
# memory_peak_max: 68m
_libc.shmat.restype = ctypes.c_void_p
made = 0
for _ in range(16):
    segment, error = raw(29, 0, 16 << 20, 0o1600)
    if segment < 0:
        attempts.evidence["shmget"] = error
        break
    address = _libc.shmat(segment, None, 0)
    ctypes.memset(address, 1, 16 << 20)
    _libc.shmdt(ctypes.c_void_p(address))
    made += 1
attempts.holds("segments", made < 5, made)
result = attempts.result()
