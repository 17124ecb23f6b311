# what: Sends descriptors through sockets into sockets, which hides them from the limit on open files.
# expect: contained|status=memory_limit
# uses: attempts
# flags: --memory 64m --timeout 20s
# wall_ms_max: 20000
# host_check: no_processes
import array
import socket

sent = 0
try:
    while sent < 200000:
        left, right = socket.socketpair()
        left.setblocking(False)
        try:
            for _ in range(50):
                left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [right.fileno()] * 100))])
                sent += 100
        except BlockingIOError:
            pass
        left.close()
        right.close()
except OSError as error:
    attempts.evidence["ended by"] = error.strerror
attempts.evidence["sent"] = sent
result = attempts.result()
