# what: Resolves names and asks name servers directly.
# expect: contained
# uses: attempts
# flags: --timeout 20s
# wall_ms_max: 15000
import socket

for name in ("example.com", "localhost.localdomain.example", "metadata.google.internal", "host.docker.internal"):
    def resolve():
        return len(socket.getaddrinfo(name, 80))

    attempts.failed(name, outcome(resolve))
query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
for server in ("8.8.8.8", "1.1.1.1", "127.0.0.53", "127.0.0.11", "10.0.0.2", "2001:4860:4860::8888"):
    def ask():
        with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            client.sendto(query, (server, 53))
            return len(client.recv(512))

    attempts.failed(server, outcome(ask))
result = attempts.result()
