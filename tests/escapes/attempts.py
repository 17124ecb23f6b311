# Prepended by the runner to a program whose header says `uses: attempts`. It makes an attack's system calls and
# keeps what the kernel answered, so that "contained" is a fact in the result and never a silent `except`.
import ctypes
import errno
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
REFUSED = {"EPERM", "EACCES", "ENOSYS"}


def _word(value):
    if value is None:
        return ctypes.c_void_p(0)
    if isinstance(value, bool):
        return ctypes.c_long(int(value))
    if isinstance(value, int):
        return ctypes.c_ulong(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, bytes):
        return ctypes.c_char_p(value)
    return ctypes.byref(value)


def raw(number, *arguments):
    """System call `number` of x86_64, by its number: (return value, "" or the errno's name)."""
    ctypes.set_errno(0)
    answer = _libc.syscall(ctypes.c_long(number), *[_word(a) for a in arguments])
    code = ctypes.get_errno()
    return answer, errno.errorcode.get(code, str(code)) if answer < 0 else ""


def outcome(action):
    """What `action()` did, in the form of raw(): a Python function that may raise OSError."""
    try:
        value = action()
    except OSError as error:
        return -1, errno.errorcode.get(error.errno, str(error.errno))
    return (value if isinstance(value, int) and value >= 0 else 0), ""


def in_child(action):
    """Runs `action` in a forked child, for calls that may kill their caller: "exit N" or "signal N"."""
    child = os.fork()
    if child == 0:
        code = 255
        try:
            code = action()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"


class Attempts:
    def __init__(self):
        self.evidence = {}
        self.holes = []

    def refused(self, name, answer, also=()):
        """The sandbox itself must say no; any other errno means that the call reached the kernel's own code."""
        value, error = answer
        self.evidence[name] = error or f"returned {value}"
        if value >= 0 or error not in REFUSED | set(also):
            self.holes.append(name)

    def failed(self, name, answer):
        """Any failure will do: there is simply nothing there to reach."""
        value, error = answer
        self.evidence[name] = error or f"returned {value}"
        if value >= 0:
            self.holes.append(name)

    def holds(self, name, held, seen):
        self.evidence[name] = seen
        if not held:
            self.holes.append(name)

    def result(self):
        return {"escaped": bool(self.holes) or not self.evidence, "holes": self.holes, "evidence": self.evidence}


attempts = Attempts()
