"""The client for asyncio: the same keep-alive connections, on a protocol of its own (streams cost twice the time)."""

from __future__ import annotations

import asyncio
import os
from typing import AsyncIterator, Dict, List, Optional, Tuple, cast

from ._answers import raise_refusal
from ._endpoint import Endpoint, Place
from ._http import LineSplitter, ResponseReader, encode_request
from .errors import CasemateError, ConnectionFailed, ConnectionLost

__all__ = ["AsyncClient"]

_CONNECT_S = 10.0
_IDLE_MAX = 64
_CHUNK = 65536


class _Connection(asyncio.BufferedProtocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        # asyncio's own would be made anew for each piece that is received, of a size that is dear (_client.py).
        # A view, since asyncio's TLS writes into slices of it, and one of a bytearray would be a copy.
        self._buffer = memoryview(bytearray(_CHUNK))
        self.transport: Optional[asyncio.Transport] = None
        self.gone = False
        self._reader: Optional[ResponseReader] = None
        self._waiter: Optional[asyncio.Future[None]] = None
        self._has_more = False  # what more() has not told of yet
        self._error: Optional[Exception] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._reader is None or self._reader.done:
            # Nobody has asked for anything.
            self.close()
            return
        self._feed(bytes(self._buffer[:nbytes]))

    def connection_lost(self, error: Optional[Exception]) -> None:
        self.gone = True
        if error is not None:
            self._error = ConnectionLost(f"the engine went away while it was asked: {error}")
            self._wake()
        elif self._reader is not None and not self._reader.done:
            self._feed(b"")

    def send(self, request: bytes) -> ResponseReader:
        assert self.transport is not None
        self._reader, self._error, self._has_more = ResponseReader(), None, False
        self.transport.write(request)
        return self._reader

    async def more(self) -> None:
        """Returns when more of the response has come since the last call. Raises ConnectionLost."""
        if self._error is None and not self._has_more:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._has_more = False
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.gone = True
        if self.transport is not None:
            self.transport.abort()

    def _feed(self, data: bytes) -> None:
        assert self._reader is not None
        try:
            self._reader.feed(data)
        except CasemateError as error:
            self._error = error
        self._wake()

    def _wake(self) -> None:
        self._has_more = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class AsyncClient:
    """Sends requests to the engine at `place`; for the tasks of one event loop at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._idle: List[Tuple[Endpoint, _Connection]] = []
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._pid = os.getpid()

    async def exchange(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json",
                       accept: str = "application/json") -> Tuple[Dict[str, str], bytes]:
        """Headers and body of a 2xx answer; raises what any other answer tells. Cancelling it cancels what runs."""
        endpoint, connection = await self._take()
        try:
            reader = connection.send(encode_request(
                method, endpoint.prefix + path, endpoint.fixed, body, content_type, accept))
            while not reader.done:
                await connection.more()
        except BaseException:
            connection.close()
            raise
        self._give_back(endpoint, connection, reader)
        answer = reader.take()
        raise_refusal(reader.status, reader.headers, answer)
        return reader.headers, answer

    async def lines(self, method: str, path: str, body: bytes, accept: str) -> AsyncIterator[bytes]:
        """The lines of a 2xx answer as they come. Closing the iterator early cancels what runs."""
        endpoint, connection = await self._take()
        try:
            reader = connection.send(encode_request(
                method, endpoint.prefix + path, endpoint.fixed, body, "application/json", accept))
            splitter = LineSplitter()
            done = False
            while not done:
                await connection.more()
                # More may come, and the end too, while the caller looks at a line.
                done = reader.done
                if 200 <= reader.status < 300:
                    for line in splitter.split(reader.take()):
                        yield line
        except BaseException:
            connection.close()
            raise
        self._give_back(endpoint, connection, reader)
        raise_refusal(reader.status, reader.headers, reader.take())

    def close(self) -> None:
        """Closes what is idle. What is under way goes on."""
        idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    async def _take(self) -> Tuple[Endpoint, _Connection]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop or self._pid != os.getpid():
            # Connections of a loop that has ended, or of the process that this one was forked from.
            self._idle, self._loop, self._pid = [], loop, os.getpid()
        # To start an engine takes longer than other tasks should wait.
        known_now = self._place.known()
        endpoint = known_now if known_now is not None else await loop.run_in_executor(None, self._place.find)
        while self._idle:
            known, connection = self._idle.pop()
            if known is endpoint and not connection.gone:
                return endpoint, connection
            connection.close()
        try:
            return endpoint, await asyncio.wait_for(self._connect(loop, endpoint), _CONNECT_S)
        except (OSError, asyncio.TimeoutError) as error:
            raise ConnectionFailed(f"no engine answers at {endpoint.name}: {error}") from error

    @staticmethod
    async def _connect(loop: asyncio.AbstractEventLoop, endpoint: Endpoint) -> _Connection:
        # asyncio sets TCP_NODELAY by itself.
        if endpoint.unix_path is not None:
            _, connection = await loop.create_unix_connection(_Connection, endpoint.unix_path)
        else:
            _, connection = await loop.create_connection(_Connection, endpoint.host, endpoint.port, ssl=endpoint.tls)
        return connection

    def _give_back(self, endpoint: Endpoint, connection: _Connection, reader: ResponseReader) -> None:
        if reader.closes or connection.gone or len(self._idle) >= _IDLE_MAX:
            connection.close()
        else:
            self._idle.append((endpoint, connection))
