# what: Leaves System V segments, POSIX queues, abstract sockets and keys, and looks for those of the run before.
# expect: contained
# uses: attempts
# runs: 2
# in_process: expect=status=error
# in_process: why=no socket can be made here, so the program ends with the refusal
import socket

KEY = 0x7A5E
attempts.failed("segment", raw(29, KEY, 0, 0))
attempts.evidence["segment made"] = raw(29, KEY, 4096, 0o1666)[1] or "made"
attempts.failed("queue", raw(68, KEY, 0))
attempts.evidence["queue made"] = raw(68, KEY, 0o1666)[1] or "made"
attempts.failed("semaphore", raw(64, KEY, 0, 0))
attempts.evidence["semaphore made"] = raw(64, KEY, 1, 0o1666)[1] or "made"


def connect():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0left-behind")
    return 0


attempts.failed("abstract socket", outcome(connect))
listener = socket.socket(socket.AF_UNIX)
attempts.evidence["bound"] = outcome(lambda: listener.bind("\0left-behind"))[1] or "bound"
result = attempts.result()
