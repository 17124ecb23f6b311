# what: Keeps memory in the buffers of sockets and descriptors in flight.
# expect: contained|status=memory_limit
# uses: attempts
# flags: --memory 64m --timeout 20s
# wall_ms_max: 20000
# memory_peak_max: 68m
# in_process: rests_on=memory
# in_process: why=without a cgroup the buffers of sockets are nobody's memory
# in_microvm: expect=status=memory_limit|timeout|error|ok
# in_microvm: why=an emulated processor can take longer than the program has; the guest's memory is the bound
import socket

pairs, total = [], 0
try:
    while True:
        left, right = socket.socketpair()
        pairs.append((left, right))
        left.setblocking(False)
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 26)
        try:
            while True:
                total += left.send(b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as error:
    attempts.evidence["ended by"] = error.strerror
attempts.evidence["pairs"], attempts.evidence["bytes"] = len(pairs), total
result = attempts.result()
