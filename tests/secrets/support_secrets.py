"""What the tests of secrets share: a folder with a certificate authority, Python packages of their own, servers that
misbehave."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402

REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")


def python_with_packages():
    """An interpreter with the packages of requirements.txt, in a virtual environment beside the build."""
    folder = pathlib.Path(casemate.BINARY).resolve().parent / "test-venv"
    python, stamp = folder / "bin" / "python3", folder / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)],
            check=True,
        )
        stamp.write_text(wanted)
    return str(python)


def run_with_packages():
    """Starts this script again in that interpreter, unless it is there already."""
    python = python_with_packages()
    if os.path.realpath(sys.prefix) != os.path.realpath(os.path.dirname(os.path.dirname(python))):
        os.execv(python, [python, *sys.argv])


def certificates(folder):
    """An authority (ca.pem), and the certificate and key of 127.0.0.1 in one file (server.pem)."""

    def openssl(*words):
        subprocess.run(
            ["openssl", *words], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "2",
        "-subj",
        "/CN=test authority",
    )
    openssl(
        "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1"
    )
    pathlib.Path(folder, "san").write_text("subjectAltName=IP:127.0.0.1")
    openssl(
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "san",
        "-out",
        "server.crt",
    )
    pem = pathlib.Path(folder, "server.crt").read_text() + pathlib.Path(folder, "server.key").read_text()
    pathlib.Path(folder, "server.pem").write_text(pem)
    return os.path.join(folder, "ca.pem"), os.path.join(folder, "server.pem")


# A program that shows its variables. Values come back shifted by one, since the redactor knows them in every spelling
# that a program is likely to use.
LOOK = """
import os
result = {name: "".join(chr(ord(c) + 1) for c in value) for name, value in os.environ.items()}
"""


def plain(shifted):
    return None if shifted is None else "".join(chr(ord(c) - 1) for c in shifted)


class RawServer:
    """Answers every connection with `chunks`, one every `pause` seconds."""

    def __init__(self, chunks, pause=0.0):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.chunks, self.pause, self.connections = chunks, pause, 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection:
            try:
                connection.recv(65536)
                for chunk in self.chunks:
                    connection.sendall(chunk)
                    time.sleep(self.pause)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Tunnel:
    """An HTTP proxy that knows CONNECT alone."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.asked = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096) or b"\r\n\r\n"
        method, target, _ = head.decode().split(" ", 2)
        if method != "CONNECT":
            return client.close()
        self.asked.append(target)
        host, port = target.rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def pump(source, target):
            try:
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)

    def close(self):
        self.listener.close()


def secrets(*words, env=None, deadline=60):
    return casemate.run(["secrets", *words], env=casemate.environment(**(env or {})), deadline=deadline)
