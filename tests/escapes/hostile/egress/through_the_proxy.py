# what: Asks the proxy for the host: its loopback, its addresses and its metadata, under every spelling.
# expect: contained
# uses: attempts
# flags: --timeout 60s --network allow:allowed.example
# host: tcp_listener
# denial: network 127.0.0.1
# in_process: expect=status=unavailable
# in_process: denial=
# in_process: why=without a network namespace of its own there is nothing that an allowlist could be held in
import socket

port = int(os.environ["PROBE_TCP_PORT"])
NAMES = ("127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0", "0.0.0.0", "127.0.0.53", "[::1]",
         "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fe80::1%25eth0]", "ip6-localhost",
         "localhost.localdomain", "allowed.example@127.0.0.1", "127.0.0.1#allowed.example",          "127.0.0.1%00.allowed.example", "10.0.0.1", "172.17.0.1", "169.254.169.254", "metadata.google.internal")


def talk(data):
    with socket.create_connection(("127.0.0.1", 3128), 10) as client:
        client.sendall(data)
        return client.recv(4096)


for name in NAMES:
    for target in (port, 22, 53, 80, 443):
        for what in (f"CONNECT {name}:{target} HTTP/1.1\r\nHost: {name}\r\n\r\n",
                     f"GET http://{name}:{target}/ HTTP/1.1\r\nHost: {name}:{target}\r\n\r\n"):
            answer = talk(what.encode()).split(b"\r\n")[0].decode("latin-1")
            attempts.holds(what.split(" HTTP")[0], " 200 " not in answer, answer)
    with socket.create_connection(("127.0.0.1", 3128), 10) as client:
        client.sendall(b"\x05\x01\x00")
        client.recv(2)
        client.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name.encode() + port.to_bytes(2, "big"))
        reply = client.recv(10)
        attempts.holds(f"SOCKS {name}", reply[1] != 0, str(reply))
result = attempts.result()
