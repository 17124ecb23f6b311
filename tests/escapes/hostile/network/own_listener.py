# what: Listens on every address and abstract name, so that the host can be lured into calling it.
# expect: contained
# uses: attempts
# host: dialer
import select
import socket
import time

marker, port = os.environ["PROBE_MARK"].encode(), int(os.environ["PROBE_TCP_PORT"])
listeners = []
for family, address in ((socket.AF_INET, ("0.0.0.0", port)), (socket.AF_INET, ("127.0.0.1", port)),
                        (socket.AF_INET6, ("::", port)), (socket.AF_UNIX, "\0" + os.environ["PROBE_ABSTRACT"])):
    try:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
        listeners.append(listener)
        attempts.evidence[str(address)] = "listens"
    except OSError as error:
        attempts.evidence[str(address)] = error.strerror
deadline = time.monotonic() + 1.5
while time.monotonic() < deadline and listeners:
    for ready in select.select(listeners, [], [], 0.1)[0]:
        caller, peer = ready.accept()
        caller.sendall(marker)
        attempts.holds(f"called by {peer!r}", False, "answered")
result = attempts.result()
