# what: Sends its data out: TCP and UDP to public addresses, broadcast, multicast.
# expect: contained
# uses: attempts
# denial: network connect
# flags: --timeout 20s
# wall_ms_max: 15000
# in_process: denial=syscall socket AF_INET
# in_process: why=no socket can be made here, so there is none to connect
import socket

for address, port in (("1.1.1.1", 443), ("8.8.8.8", 53), ("192.0.2.1", 80), ("10.0.0.1", 22), ("172.17.0.1", 2375),
                      ("2606:4700::1111", 443), ("fe80::1", 80)):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def stream():
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(1)
            client.connect((address, port))
        return 0

    def datagram():
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            return client.sendto(b"secret", (address, port))

    attempts.failed(f"tcp {address}", outcome(stream))
    attempts.failed(f"udp {address}", outcome(datagram))
for group in ("255.255.255.255", "224.0.0.1", "239.255.255.250"):
    def shout():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            return client.sendto(b"secret", (group, 1900))

    attempts.failed(f"to all {group}", outcome(shout))
result = attempts.result()
