# what: Enters the kernel by `int 0x80`, where other numbers hold.
# expect: contained|status=denied
# uses: attempts
import mmap
import struct


def enter(number):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # xor ebx,ebx; mov eax,number; int 0x80; ret
    page.write(b"\x31\xdb\xb8" + struct.pack("I", number) + b"\xcd\x80\xc3")
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    answer = function()
    # The answer to getpid (20) or time (13) is a positive number only if the kernel did it.
    return 7 if answer > 0 else 0


for name, number in {"getpid": 20, "time": 13, "getppid": 64}.items():
    seen = in_child(lambda: enter(number))
    attempts.holds(name, seen != "exit 7", seen)
result = attempts.result()
