"""An engine that listens at a TCP address, its keys, and a WebSocket client in a few lines."""

import base64
import http.client
import json
import os
import re
import socket
import struct

import casemate
from engine import Engine


class HttpEngine(Engine):
    """A `casemate serve --listen` of its own, at a free port."""

    def __init__(self, path, env, *flags, tls=None):
        super().__init__(path, env, "--listen", "127.0.0.1:0", *flags)
        found = re.search(r"(https?)://127\.0\.0\.1:(\d+)", self.first_line)
        self.port = int(found[2]) if found else 0
        self.tls = tls

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60 * casemate.SLOW, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * casemate.SLOW)

    def ask_tcp(self, method, target, body=None, key="", **fields):
        """Status, fields and body of one request."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        connection = self.connect()
        try:
            if isinstance(body, dict):
                body = json.dumps(body)
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def connections(self):
        """What the kernel has of connections to it that one side has not ended."""
        listening, closed = "0A", "06"
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return [row for row in rows if row[1].endswith(f":{self.port:04X}") and row[3] not in (listening, closed)]


def add_key(env, name, *flags):
    done = casemate.run(["keys", "add", name, *flags], env=env)
    assert done.code == 0, done.tell()
    return done.stdout.decode().strip()


class WebSocket:
    """RFC 6455 from a client's side, without extensions."""

    def __init__(self, port, key):
        self.socket = socket.create_connection(("127.0.0.1", port), 60 * casemate.SLOW)
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /v1/run HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
                             "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                             f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        self.status = self.stream.readline().decode().strip()
        while self.stream.readline().strip():
            pass

    def send(self, payload, opcode=1, last=True):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([opcode | (0x80 if last else 0)])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        """Opcode and payload of the next frame; (None, b"") at the end."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None, b""
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", self.stream.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.stream.read(8))[0]
        return head[0] & 15, self.stream.read(size)

    def events(self):
        """The objects that come before the close, and its status."""
        events = []
        while True:
            opcode, payload = self.receive()
            if opcode == 1:
                events.append(json.loads(payload))
            elif opcode == 8:
                return events, struct.unpack(">H", payload[:2])[0]
            elif opcode is None:
                return events, None

    def close(self):
        self.stream.close()
        self.socket.close()
