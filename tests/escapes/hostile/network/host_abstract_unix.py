# what: Connects to an abstract unix socket of the host.
# expect: contained
# uses: attempts
# host: abstract_listener
import socket

name = os.environ["PROBE_ABSTRACT"]
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    def connect():
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.settimeout(2)
            client.connect("\0" + name)
            print(client.recv(200))
        return 0

    attempts.failed(f"type {int(kind)}", outcome(connect))
for known in ("/tmp/.X11-unix/X0", "/org/freedesktop/systemd1/notify", "/tmp/dbus-x", "/containerd-shim/x"):
    def guess():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0" + known)
        return 0

    attempts.failed(known, outcome(guess))
result = attempts.result()
