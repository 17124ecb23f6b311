"""The blocking client: keep-alive connections, one a thread that is under way, no call that opens one anew."""

from __future__ import annotations

import os
import select
import socket
import threading
from typing import Dict, Iterator, List, Tuple

from ._answers import raise_refusal
from ._endpoint import Endpoint, Place
from ._http import LineSplitter, ResponseReader, encode_request
from .errors import ConnectionFailed, ConnectionLost

__all__ = ["Client"]

_CONNECT_S = 10.0
_IDLE_MAX = 64
# For more than 128 KiB the C library asks the kernel for memory and gives it back, in each recv(): ten times its cost.
_CHUNK = 65536


def _connect(endpoint: Endpoint) -> socket.socket:
    if endpoint.unix_path is not None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(endpoint.unix_path)
        except BaseException:
            sock.close()
            raise
        return sock
    sock = socket.create_connection((endpoint.host, endpoint.port), _CONNECT_S)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if endpoint.tls is not None:
            sock = endpoint.tls.wrap_socket(sock, server_hostname=endpoint.host)
        # From here on the engine bounds the time; keep-alive finds out when its host is gone.
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_quiet(sock: socket.socket) -> bool:
    """Whether an idle connection is still there: a server that has closed it, or talks unasked, is readable."""
    poller = select.poll()
    # The plain socket's: bytes of an ended TLS session are enough of a sign.
    poller.register(sock, select.POLLIN)
    return not poller.poll(0)


class Client:
    """Sends requests to the engine at `place`; threads may share it."""

    def __init__(self, place: Place) -> None:
        self._idle: List[Tuple[Endpoint, socket.socket]] = []
        self._place = place
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def exchange(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json",
                 accept: str = "application/json") -> Tuple[Dict[str, str], bytes]:
        """Headers and body of a 2xx answer; raises what any other answer tells."""
        endpoint, sock = self._take()
        try:
            reader = self._send(endpoint, sock, encode_request(
                method, endpoint.prefix + path, endpoint.fixed, body, content_type, accept))
            while not reader.done:
                reader.feed(self._receive(sock))
        except BaseException:
            # An answer that nobody waits for any more: closing the connection cancels what runs.
            sock.close()
            raise
        self._give_back(endpoint, sock, reader)
        answer = reader.take()
        raise_refusal(reader.status, reader.headers, answer)
        return reader.headers, answer

    def lines(self, method: str, path: str, body: bytes, accept: str) -> Iterator[bytes]:
        """The lines of a 2xx answer as they come. Closing the iterator early cancels what runs."""
        endpoint, sock = self._take()
        try:
            reader = self._send(endpoint, sock, encode_request(
                method, endpoint.prefix + path, endpoint.fixed, body, "application/json", accept))
            splitter = LineSplitter()
            while not reader.done:
                reader.feed(self._receive(sock))
                if 200 <= reader.status < 300:
                    yield from splitter.split(reader.take())
        except BaseException:
            sock.close()
            raise
        self._give_back(endpoint, sock, reader)
        raise_refusal(reader.status, reader.headers, reader.take())

    def close(self) -> None:
        """Closes what is idle. What is under way goes on."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, sock in idle:
            sock.close()

    def __del__(self) -> None:
        for _, sock in self._idle:
            sock.close()

    def _take(self) -> Tuple[Endpoint, socket.socket]:
        if self._pid != os.getpid():
            self._after_fork()
        while True:
            with self._lock:
                if not self._idle:
                    break
                known, sock = self._idle.pop()
            # Whoever holds the other end is there: no need to ask whether its process is.
            if _is_quiet(sock):
                return known, sock
            sock.close()
        endpoint = self._place.find()
        try:
            return endpoint, _connect(endpoint)
        except OSError as error:
            raise ConnectionFailed(f"no engine answers at {endpoint.name}: {error}") from error

    def _after_fork(self) -> None:
        # The connections are the parent's: what this process sent there would get mixed up with its requests.
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.close()

    def _give_back(self, endpoint: Endpoint, sock: socket.socket, reader: ResponseReader) -> None:
        if not reader.closes:
            with self._lock:
                if len(self._idle) < _IDLE_MAX:
                    self._idle.append((endpoint, sock))
                    return
        sock.close()

    @staticmethod
    def _send(endpoint: Endpoint, sock: socket.socket, request: bytes) -> ResponseReader:
        try:
            sock.sendall(request)
        except ConnectionError:
            # A refusal may have been sent before all was read (413); it is in the answer.
            pass
        except OSError as error:
            raise ConnectionLost(f"the request did not get to {endpoint.name}: {error}") from error
        return ResponseReader()

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        try:
            return sock.recv(_CHUNK)
        except OSError as error:
            raise ConnectionLost(f"the engine went away while it was asked: {error}") from error
