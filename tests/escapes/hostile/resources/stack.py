# what: Recurses without end in C code, so that the stack meets its limit.
# expect: status=error|memory_limit
# flags: --memory 128m --timeout 20s
# wall_ms_max: 15000
import ctypes
import sys

sys.setrecursionlimit(2**31 - 1)
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
libc = ctypes.CDLL(None)


def down(_left, _right):
    array = (ctypes.c_int * 2)(2, 1)
    libc.qsort(array, ctypes.c_size_t(2), ctypes.c_size_t(4), callback)
    return 0


callback = Compare(down)
down(None, None)
