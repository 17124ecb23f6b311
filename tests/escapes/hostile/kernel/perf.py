# what: Opens performance counters, of itself and of the machine.
# expect: contained
# uses: attempts
import struct

event = struct.pack("IIQ", 1, 128, 0).ljust(128, b"\0")
attempts.refused("itself", raw(298, event, 0, -1, -1, 0))
attempts.refused("cpu 0", raw(298, event, -1, 0, -1, 0))
result = attempts.result()
