# what: Uses socket options that need power: marks, devices, forced buffers, attached programs, transparent proxying.
# expect: contained
# uses: attempts
# in_gvisor: expect=status=ok
# in_gvisor: why=the options are those of gVisor's own stack, which has no interface
import socket

left, right = socket.socketpair()
for name, level, option, value in (("SO_MARK", 1, 36, 1), ("SO_SNDBUFFORCE", 1, 32, 1 << 30),
                                   ("SO_RCVBUFFORCE", 1, 33, 1 << 30), ("SO_ATTACH_BPF", 1, 50, 0),
                                   ("SO_PRIORITY", 1, 12, 7), ("SO_DEBUG", 1, 1, 1)):
    answer = outcome(lambda: left.setsockopt(level, option, value))
    attempts.failed(name, answer)
attempts.holds("peer", left.getsockopt(1, 17, 12) != b"\0" * 12, "SO_PEERCRED answered")
result = attempts.result()
