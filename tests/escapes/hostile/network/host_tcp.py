# what: Connects to a listener of the host on 127.0.0.1, ::1 and the host's own addresses.
# expect: contained
# uses: attempts
# host: tcp_listener
# denial: network connect
# in_process: denial=syscall socket AF_INET
# in_process: why=no socket can be made here, so there is none to connect
import socket

port = int(os.environ["PROBE_TCP_PORT"])
for address in ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::ffff:127.0.0.1", *os.environ["PROBE_HOST_ADDRESSES"].split()]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def connect():
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            client.connect((address, port))
            print(client.recv(200))
        return 0

    def fast_open():
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            client.sendto(b"hello", 0x20000000, (address, port))
        return 0

    attempts.failed(f"connect {address}", outcome(connect))
    attempts.failed(f"fast open {address}", outcome(fast_open))
result = attempts.result()
