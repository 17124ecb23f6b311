# what: Socket pairs, unix sockets by path and by abstract name, descriptors passed between processes.
# expect_result: ["pair", "path", "abstract", "passed"]
# in_process: expect=status=error
# in_process: why=no socket can be made here but a pair
import os
import socket


def meet(address):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    if os.fork() == 0:
        client = socket.socket(socket.AF_UNIX)
        client.connect(address)
        client.sendall(b"abstract" if address[0] == "\0" else b"path")
        os._exit(0)
    connection, _ = listener.accept()
    os.wait()
    return connection.recv(100).decode()


left, right = socket.socketpair()
left.sendall(b"pair")
answers = [right.recv(10).decode(), meet("/tmp/socket"), meet("\0name")]
reader, writer = os.pipe()
socket.send_fds(left, [b"x"], [writer])
_, descriptors, _, _ = socket.recv_fds(right, 10, 1)
os.write(descriptors[0], b"passed")
answers.append(os.read(reader, 10).decode())
result = answers
