# what: Connects to a listener's socket file that lies in the shared workspace.
# expect: contained
# rests_on: network
# uses: attempts
# host: workspace_socket
# flags: --workspace {workspace}:ro
import socket


def connect():
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        client.connect("/workspace/listener")
        client.sendall(b"hello")
    return 0


# A read-only mount does not keep anyone from a socket; the socket's own permissions (0755 here) must.
attempts.failed("connect", outcome(connect))
attempts.evidence["listed"] = os.listdir("/workspace")
result = attempts.result()
