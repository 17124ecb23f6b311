"""Servers for the tests to reach, and to be fooled by. Each listens on 127.0.0.1 of the host, in threads."""

import http.server
import json
import os
import socket
import socketserver
import ssl
import subprocess
import threading


class Web(http.server.ThreadingHTTPServer):
    """Tells what it was asked: {"method", "path", "headers", "body"}. Paths with a meaning: /redirect?URL /big?BYTES
    /headers?BYTES /slow /cut."""

    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Answer)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port = self.server_address[1]
        self.asked = []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def handle_error(self, request, client_address):
        """What clients of these tests do to it is none of its business."""

    def end(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while True:
                count = int(self.rfile.readline(), 16)
                body += self.rfile.read(count)
                self.rfile.readline()
                if not count:
                    return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self):
        path, _, query = self.path.partition("?")
        body = self.read_body()
        told = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode("latin-1"),
        }
        self.server.asked.append(told)
        if path == "/redirect":
            self.reply(302, b"", Location=query)
        elif path == "/big":
            self.reply(200, b"x" * int(query))
        elif path == "/headers":
            self.reply(200, b"", Filler="x" * int(query))
        elif path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            self.close_connection = True
        elif path == "/both":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            self.close_connection = True
        else:
            self.reply(200, json.dumps(told).encode())

    def reply(self, status, body, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = answer


class Raw(socketserver.ThreadingTCPServer):
    """Gives each connection to `serve(socket)`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, serve):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    serve(self.request)
                except OSError:
                    pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def end(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


def certificate(folder, *names):
    """A self-signed certificate for `names`: (context of a server, path of the certificate)."""
    key, path = os.path.join(folder, names[0] + ".key"), os.path.join(folder, names[0] + ".pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
         "-keyout", key, "-out", path],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return context, path


def free_port():
    """One on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]
