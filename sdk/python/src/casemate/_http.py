"""HTTP/1.1 without input or output: requests to bytes, bytes to responses. Shared by both kinds of client.

http.client would cost more than a whole step in a session does: its header parser is that of e-mail.
"""

from __future__ import annotations

from typing import Dict, List, Optional

from .errors import ConnectionLost

__all__ = ["LineSplitter", "ResponseReader", "encode_request"]

_HEAD_MAX = 65536


def encode_request(method: str, path: str, fixed: bytes, body: bytes, content_type: str, accept: str) -> bytes:
    """One request; `fixed` is what all requests to this server have, with line ends. `path` is ASCII."""
    head = f"{method} {path} HTTP/1.1\r\n".encode("ascii")
    middle = f"Accept: {accept}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode("ascii")
    return b"".join((head, fixed, middle, body))


class ResponseReader:
    """One response, fed with bytes as they come. Raises ConnectionLost for what is not HTTP."""

    __slots__ = ("_chunk_left", "_length_left", "_mode", "_pending", "_pieces", "closes", "done", "headers", "status")

    def __init__(self) -> None:
        self.status = 0  # 0 until the head is there
        self.headers: Dict[str, str] = {}
        self.done = False
        self.closes = False  # the connection is of no use after this response
        self._pending = b""
        self._pieces: List[bytes] = []
        self._mode = "head"
        self._length_left = 0
        self._chunk_left = 0

    def feed(self, data: bytes) -> None:
        """Takes what was received; b"" is the end of the stream."""
        if not data:
            if self._mode != "close":
                raise ConnectionLost("the engine closed the connection before its answer was complete")
            self.done = True
            return
        data = self._pending + data if self._pending else data
        self._pending = b""
        while self._mode == "head":
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > _HEAD_MAX:
                    raise ConnectionLost("the answer's header is too long to be the engine's")
                self._pending = data
                return
            self._read_head(data[:end])
            data = data[end + 4:]
        self._read_body(data)

    def take(self) -> bytes:
        """The bytes of the body that have come and were not taken yet."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_head(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        if not lines[0].startswith("HTTP/1.") or not lines[0][9:12].isdigit():
            raise ConnectionLost(f"who answers does not speak HTTP/1.1: {lines[0][:60]!r}")
        status = int(lines[0][9:12])
        if status < 200:
            return
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.status = status
        self.closes = self.headers.get("connection", "").lower() == "close" or lines[0].startswith("HTTP/1.0")
        if status in (204, 304):
            self._mode, self._length_left = "length", 0
        elif self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._mode = "chunked"
        elif "content-length" in self.headers:
            length = self.headers["content-length"]
            if not length.isdigit():
                raise ConnectionLost(f"the answer's length is no number: {length[:40]!r}")
            self._mode, self._length_left = "length", int(length)
        else:
            self._mode, self.closes = "close", True

    def _read_body(self, data: bytes) -> None:
        if self._mode == "chunked":
            self._read_chunks(data)
        elif self._mode == "close":
            self._pieces.append(data)
        else:
            if len(data) > self._length_left:
                raise ConnectionLost("the engine sent more than its answer")
            self._length_left -= len(data)
            if data:
                self._pieces.append(data)
            self.done = self._length_left == 0

    def _read_chunks(self, data: bytes) -> None:
        while data and not self.done:
            # With the line end that follows a chunk's bytes.
            if self._chunk_left > 2:
                piece = data[:self._chunk_left - 2]
                self._pieces.append(piece)
                self._chunk_left -= len(piece)
                data = data[len(piece):]
            elif self._chunk_left > 0:
                dropped = min(len(data), self._chunk_left)
                self._chunk_left -= dropped
                data = data[dropped:]
            else:
                data = self._read_chunk_head(data)

    def _read_chunk_head(self, data: bytes) -> bytes:
        end = data.find(b"\r\n")
        if end < 0:
            if len(data) > _HEAD_MAX:
                raise ConnectionLost("a chunk's header is too long to be the engine's")
            self._pending = data
            return b""
        try:
            size = int(data[:end].partition(b";")[0], 16)
        except ValueError:
            raise ConnectionLost(f"a chunk's length is no number: {data[:40]!r}") from None
        if size:
            self._chunk_left = size + 2
            return data[end + 2:]
        # The engine sends no trailer fields, so an empty line ends it all.
        if len(data) < end + 4:
            self._pending = data
            return b""
        self.done = True
        return b""


class LineSplitter:
    """Cuts a body that comes in pieces into its lines."""

    def __init__(self) -> None:
        self._rest = b""

    def split(self, data: bytes) -> List[bytes]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        return [line for line in lines if line]


def header_number(value: Optional[str]) -> Optional[float]:
    """A header's number of seconds, where it is one."""
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None
