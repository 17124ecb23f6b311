# what: The network is empty: no interface is up, so that even its own 127.0.0.1 answers with an error at once.
# expect_result: "refused at once"
import socket
import time

start = time.monotonic()
try:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    socket.create_connection(listener.getsockname(), timeout=5)
    result = "connected"
except OSError:
    result = "refused at once" if time.monotonic() - start < 1 else "refused late"
