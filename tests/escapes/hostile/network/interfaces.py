# what: Looks for an interface that is up, an address or a route, and brings the loopback up.
# expect: contained
# uses: attempts
import fcntl
import socket
import struct

names = outcome(lambda: len(socket.if_nameindex()))
attempts.holds("interfaces", names[0] <= 1, str(names))
try:
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
except OSError as error:
    attempts.holds("inet socket", True, error.strerror)
else:
    request = struct.pack("16sh14x", b"lo", 0)
    try:
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, 0x8913, request))[1]
        attempts.holds("lo is down", not flags & 1, hex(flags))
    except OSError as error:
        attempts.holds("lo is down", True, error.strerror)
    attempts.failed("bring lo up", outcome(
        lambda: bool(fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 1)))))
    attempts.failed("give it an address", outcome(lambda: bool(fcntl.ioctl(
        control, 0x8916, struct.pack("16sH2x4s8x", b"lo", 2, socket.inet_aton("127.0.0.1"))))))
    attempts.failed("make a tunnel", outcome(lambda: os.open("/dev/net/tun", os.O_RDWR)))
result = attempts.result()
