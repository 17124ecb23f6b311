"""`casemate.session` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, List, Optional, Type, Union
from urllib.parse import quote

from ._aio import AsyncClient
from ._answers import json_of, result_of
from ._async_stream import events, told_run
from ._calls import Handlers
from ._request import RunOptions
from ._session_calls import (CheckpointInfo, FileChange, FileInfo, SessionInfo, checkpoints_of, entries_of, file_path,
                             fork_body, name_body, rewind_body, session_path, step_body)
from .errors import NotFound
from .events import Event
from .results import Denial, Display, Result
from .session import BYTES, LINES

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

__all__ = ["AsyncFiles", "AsyncSession"]


class AsyncSession:
    """`casemate.Session` for asyncio, made by `await AsyncSandbox.session()`. Cancelling a task interrupts its step."""

    def __init__(self, client: AsyncClient, info: SessionInfo) -> None:
        self._client = client
        self._run_path = session_path(info.id, "/run")
        self.id = info.id
        self.files = AsyncFiles(client, info.id)

    async def run(self, code: str, *, context: Optional[str] = None, on_stdout: Optional[Callable[[str], Any]] = None,
                  on_stderr: Optional[Callable[[str], Any]] = None,
                  on_display: Optional[Callable[[Display], Any]] = None,
                  on_denial: Optional[Callable[[Denial], Any]] = None,
                  on_event: Optional[Callable[[Event], Any]] = None, **options: Unpack[RunOptions]) -> Result:
        """As `Session.run`."""
        body = step_body(code, options, context)
        handlers = Handlers(on_stdout, on_stderr, on_display, on_denial, on_event)
        if not handlers:
            return result_of((await self._client.exchange("POST", self._run_path, body))[1])
        return await told_run(self._client, self._run_path, body, handlers)

    def stream(self, code: str, *, context: Optional[str] = None,
               **options: Unpack[RunOptions]) -> AsyncIterator[Event]:
        """As `Session.stream`."""
        return events(self._client, self._run_path, step_body(code, options, context))

    async def interrupt(self) -> None:
        """As `Session.interrupt`."""
        await self._client.exchange("POST", session_path(self.id, "/interrupt"))

    async def fork(self, *, name: Optional[str] = None) -> AsyncSession:
        """As `Session.fork`."""
        return (await self.forks(1, name=name))[0]

    async def forks(self, count: int, *, name: Optional[str] = None) -> List[AsyncSession]:
        """As `Session.forks`."""
        answer = json_of((await self._client.exchange("POST", session_path(self.id, "/fork"),
                         fork_body(count, name)))[1])
        return [AsyncSession(self._client, SessionInfo.from_json(info)) for info in answer["sessions"]]

    async def checkpoint(self, name: Optional[str] = None) -> CheckpointInfo:
        """As `Session.checkpoint`."""
        return CheckpointInfo.from_json(json_of((await self._client.exchange(
            "POST", session_path(self.id, "/checkpoints"), name_body(name)))[1]))

    async def checkpoints(self) -> List[CheckpointInfo]:
        """Those that it has."""
        return checkpoints_of(json_of((await self._client.exchange("GET", session_path(self.id, "/checkpoints")))[1]))

    async def drop_checkpoint(self, checkpoint: Union[str, CheckpointInfo]) -> None:
        """Forgets one, and frees its memory."""
        known = checkpoint.id if isinstance(checkpoint, CheckpointInfo) else checkpoint
        await self._client.exchange("DELETE", session_path(self.id, f"/checkpoints/{quote(known, safe='')}"))

    async def rewind(self, checkpoint: Union[str, CheckpointInfo]) -> SessionInfo:
        """As `Session.rewind`."""
        return SessionInfo.from_json(json_of((await self._client.exchange(
            "POST", session_path(self.id, "/rewind"), rewind_body(checkpoint)))[1]))

    async def info(self) -> SessionInfo:
        """What the engine says of it at this moment."""
        return SessionInfo.from_json(json_of((await self._client.exchange("GET", session_path(self.id)))[1]))

    async def close(self) -> None:
        """Ends it, with a step that runs. One that is gone already is no error."""
        try:
            await self._client.exchange("DELETE", session_path(self.id))
        except NotFound:
            pass

    async def __aenter__(self) -> AsyncSession:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()


class AsyncFiles:
    """`casemate.Files` for asyncio."""

    def __init__(self, client: AsyncClient, session_id: str) -> None:
        self._client = client
        self._id = session_id

    async def put(self, path: str, content: Union[bytes, str]) -> None:
        data = content.encode("utf-8") if isinstance(content, str) else content
        await self._client.exchange("PUT", file_path(self._id, path), data, BYTES)

    async def get(self, path: str) -> bytes:
        return (await self._client.exchange("GET", file_path(self._id, path), accept=BYTES))[1]

    async def list(self, path: str = "") -> List[FileInfo]:
        return entries_of(json_of((await self._client.exchange("GET", file_path(self._id, path, "?list")))[1]))

    async def stat(self, path: str) -> FileInfo:
        return FileInfo.from_json(json_of((await self._client.exchange("GET", file_path(self._id, path, "?stat")))[1]))

    async def watch(self, path: str = "") -> AsyncIterator[FileChange]:
        """As `Files.watch`."""
        lines = self._client.lines("GET", file_path(self._id, path, "?watch"), b"", LINES)
        try:
            async for line in lines:
                change = FileChange.from_line(line)
                if change is not None:
                    yield change
        finally:
            await lines.aclose()  # type: ignore[attr-defined]

    async def move(self, path: str, to: str) -> None:
        await self._client.exchange("POST", file_path(self._id, path, move_to=to))

    async def remove(self, path: str) -> None:
        await self._client.exchange("DELETE", file_path(self._id, path))
