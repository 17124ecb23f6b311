# what: Loads a BPF program and a map.
# expect: contained
# uses: attempts
program = ctypes.create_string_buffer(b"\xb7\0\0\0\0\0\0\0\x95\0\0\0\0\0\0\0", 16)
licence = ctypes.create_string_buffer(b"GPL")
import struct

load = struct.pack("IIQQIIQII", 1, 2, ctypes.addressof(program), ctypes.addressof(licence), 0, 0, 0, 0, 0).ljust(128, b"\0")
attempts.refused("load", raw(321, 5, load, 128))
attempts.refused("map", raw(321, 0, struct.pack("IIII", 2, 4, 4, 1).ljust(128, b"\0"), 128))
attempts.refused("next program", raw(321, 11, bytes(128), 128))
result = attempts.result()
