# what: Traces the init of the sandbox and reads or writes its memory.
# expect: contained
# uses: attempts
# denial: syscall ptrace
ATTACH, SEIZE, PEEK = 16, 0x4206, 2
attempts.refused("ptrace attach", raw(101, ATTACH, 1, None, None))
attempts.refused("ptrace seize", raw(101, SEIZE, 1, None, None))
attempts.refused("ptrace peek", raw(101, PEEK, 1, None, None), also=("ESRCH",))
buffer = ctypes.create_string_buffer(64)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


local, remote = Vector(ctypes.addressof(buffer), 64), Vector(0x400000, 64)
attempts.refused("process_vm_readv", raw(310, 1, local, 1, remote, 1, 0))
attempts.refused("process_vm_writev", raw(311, 1, local, 1, remote, 1, 0))
attempts.refused("kcmp", raw(312, os.getpid(), 1, 0, 0, 0))
attempts.refused("process_madvise", raw(440, 0, remote, 1, 4, 0))
attempts.failed("/proc/1/mem", outcome(lambda: os.open("/proc/1/mem", os.O_RDWR)))
result = attempts.result()
