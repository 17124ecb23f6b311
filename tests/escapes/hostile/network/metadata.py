# what: Asks the cloud's metadata service for the machine's credentials.
# expect: contained
# uses: attempts
# flags: --timeout 20s
# wall_ms_max: 15000
import socket
import urllib.request

for url in ("http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/meta-data/",
            "http://169.254.170.2/v2/credentials", "http://100.100.100.200/latest/meta-data/"):
    def ask():
        with urllib.request.urlopen(url, timeout=2) as answer:
            return len(answer.read(10))

    attempts.failed(url, outcome(ask))


def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        return client.sendto(b"x", ("169.254.169.254", 80))


attempts.failed("datagram", outcome(datagram))
result = attempts.result()
