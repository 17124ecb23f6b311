# what: Sets the clocks of the host.
# expect: contained
# uses: attempts
import struct

# Not a valid time: where the wall is missing, these fail without harm.
soon = struct.pack("qq", 1, 1 << 40)
attempts.refused("settimeofday", raw(164, soon, None))
attempts.refused("clock_settime", raw(227, 0, soon))
attempts.refused("adjtimex", raw(159, ctypes.create_string_buffer(struct.pack("I", 0x100), 208)))
attempts.refused("clock_adjtime", raw(305, 0, ctypes.create_string_buffer(struct.pack("I", 0x100), 208)))
attempts.refused("time namespace", raw(272, 0x80))
result = attempts.result()
