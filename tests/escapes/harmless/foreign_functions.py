# what: ctypes: calls into the C library, a callback, a structure.
# expect_result: [5, [1, 2, 3], true]
import ctypes

libc = ctypes.CDLL(None)
libc.strlen.restype = ctypes.c_size_t
array = (ctypes.c_int * 3)(3, 1, 2)
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
libc.qsort(array, ctypes.c_size_t(3), ctypes.c_size_t(4), Compare(lambda a, b: a[0] - b[0]))
result = [libc.strlen(b"hello"), list(array), libc.getpid() > 0]
