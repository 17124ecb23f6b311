# what: Wears the denial listener out, then installs a filter of its own whose listener answers "continue" to
# what: denied calls: of two user notifications the kernel obeys the newer filter.
# expect: contained|status=denied
# uses: attempts
# flags: --timeout 20s
# wall_ms_max: 20000
import fcntl
import struct
import threading

SECCOMP, UNSHARE, KEYCTL, NOTIF_RECV, NOTIF_SEND = 317, 272, 250, 0xC0502100, 0xC0182101
for _ in range(20000):
    raw(165, None, None, None, 0, None)
attempts.evidence["worn out"] = raw(165, None, None, None, 0, None)[1]
# if (nr == unshare || nr == keyctl) return USER_NOTIF; else ALLOW
instructions = [(0x20, 0, 0, 0), (0x15, 2, 0, UNSHARE), (0x15, 1, 0, KEYCTL), (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x7FC00000)]
code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
text = ctypes.create_string_buffer(code, len(code))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


program = Program(len(instructions), ctypes.addressof(text))
# Every way to ask for a listener: alone, with thread sync, with the wait-killable flag.
listener, error = -1, ""
for flags in (8, 8 | 16 | 1, 8 | 32, 8 | 4):
    listener, error = raw(SECCOMP, 1, flags, program)
    attempts.holds(f"listener with flags {flags}", listener < 0, error or "installed")
    if listener >= 0:
        break


def always_continue():
    while True:
        notification = bytearray(80)
        fcntl.ioctl(listener, NOTIF_RECV, notification)
        answer = bytearray(struct.pack("QqiI", struct.unpack_from("Q", notification)[0], 0, 0, 1))
        fcntl.ioctl(listener, NOTIF_SEND, answer)


if listener >= 0:
    threading.Thread(target=always_continue, daemon=True).start()
attempts.refused("unshare afterwards", raw(UNSHARE, 0x10000000))
attempts.refused("keyctl afterwards", raw(KEYCTL, 6, -3, ctypes.create_string_buffer(256), 256))
result = attempts.result()
