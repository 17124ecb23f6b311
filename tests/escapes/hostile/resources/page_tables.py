# what: Touches one page in each 2 MiB, so that page tables take as much as the pages.
# expect: status=memory_limit
# rests_on: memory
# flags: --memory 64m --timeout 25s
# wall_ms_max: 25000
# memory_peak_max: 68m
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
size = 1 << 40
address = libc.mmap(None, size, 3, 0x4022, -1, 0)
if address in (None, 2**64 - 1):
    # A limit on address space has answered first: take the memory in ordinary pieces then.
    held = [bytearray(1 << 20) for _ in range(1000)]
for offset in range(0, size, 2 << 20):
    ctypes.c_char.from_address(address + offset).value = b"x"
print("ESCAPED: touched a page in each 2 MiB of a tebibyte")
