# what: Makes a user namespace with clone3, whose flags a filter cannot see.
# expect: contained
# uses: attempts
import signal


class Arguments(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls", "set_tid",
        "set_tid_size", "cgroup")]


for name, flags in {"plain": 0, "user": 0x10000000, "into cgroup": 0x200000000, "net": 0x40000000}.items():
    answer = raw(435, Arguments(flags=flags, exit_signal=signal.SIGCHLD), 88)
    if answer[0] == 0:
        os._exit(0)
    # The C library falls back to clone only when it is told ENOSYS.
    attempts.holds(name, answer == (-1, "ENOSYS"), str(answer))
result = attempts.result()
