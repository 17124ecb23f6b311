"""Runs programs in fresh sandboxes, for asyncio. `casemate.sandbox` has the same for code that waits."""

from __future__ import annotations

import asyncio
import collections
from typing import (TYPE_CHECKING, Any, AsyncIterator, Callable, Deque, Iterable, List, Mapping, Optional, Sequence,
                    Type)

from ._aio import AsyncClient
from ._answers import json_of, read_result, result_of
from ._async_stream import events, told_run
from ._audit import AuditRun, When, audit_path, audit_runs
from ._calls import BatchItem, Handlers, batch_bodies, locate, run_body
from ._embedded import EngineOptions
from ._environments import ENVIRONMENTS, EnvironmentInfo, build_body, environment_path, environments_of
from ._request import RunOptions, merge
from ._session_calls import SessionInfo, session_body, session_path
from ._units import Duration
from .async_session import AsyncSession
from .events import Event
from .results import Denial, Display, Result

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

__all__ = ["AsyncSandbox"]

_BATCH_JOBS = 4


class AsyncSandbox:
    """`casemate.Sandbox` for asyncio: the same arguments, results and errors. Callbacks may be coroutine functions.
    Cancelling a task cancels the run that it waits for. For one event loop at a time.
    """

    def __init__(self, *, url: Optional[str] = None, api_key: Optional[str] = None, allow_plaintext_key: bool = False,
                 engine: Optional[EngineOptions] = None, **defaults: Unpack[RunOptions]) -> None:
        self._defaults: Mapping[str, Any] = merge({}, defaults)
        self._client = AsyncClient(locate(url, api_key, allow_plaintext_key, engine or EngineOptions()))

    async def run(self, code: Optional[str] = None, *, command: Optional[Sequence[str]] = None,
                  on_stdout: Optional[Callable[[str], Any]] = None, on_stderr: Optional[Callable[[str], Any]] = None,
                  on_display: Optional[Callable[[Display], Any]] = None,
                  on_denial: Optional[Callable[[Denial], Any]] = None,
                  on_event: Optional[Callable[[Event], Any]] = None, **options: Unpack[RunOptions]) -> Result:
        """As `Sandbox.run`."""
        body = run_body(code, command, self._defaults, options)
        handlers = Handlers(on_stdout, on_stderr, on_display, on_denial, on_event)
        if not handlers:
            return result_of((await self._client.exchange("POST", "/v1/run", body))[1])
        return await told_run(self._client, "/v1/run", body, handlers)

    def stream(self, code: Optional[str] = None, *, command: Optional[Sequence[str]] = None,
               **options: Unpack[RunOptions]) -> AsyncIterator[Event]:
        """As `Sandbox.stream`: `async for event in sandbox.stream(...)`. Leaving the loop early cancels the run once
        the iterator is closed (`contextlib.aclosing`) or collected.
        """
        return events(self._client, "/v1/run", run_body(code, command, self._defaults, options))

    async def run_batch(self, items: Iterable[BatchItem], *, jobs: int = _BATCH_JOBS) -> AsyncIterator[Result]:
        """As `Sandbox.run_batch`: `async for result in sandbox.run_batch(...)`."""
        if jobs < 1:
            raise ValueError(f"jobs is {jobs}, and nothing would run: give 1 or more")
        under_way: Deque[asyncio.Task[Result]] = collections.deque()
        try:
            for body in batch_bodies(items, self._defaults):
                if len(under_way) >= jobs:
                    yield await under_way.popleft()
                under_way.append(asyncio.ensure_future(self._result(body)))
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def session(self, *, name: Optional[str] = None, idle_timeout: Optional[Duration] = None,
                      lifetime: Optional[Duration] = None, **options: Unpack[RunOptions]) -> AsyncSession:
        """As `Sandbox.session`: `async with await sandbox.session() as session`."""
        body = session_body(self._defaults, options, name, idle_timeout, lifetime)
        return AsyncSession(self._client, SessionInfo.from_json(
            json_of((await self._client.exchange("POST", "/v1/sessions", body))[1])))

    async def sessions(self) -> List[SessionInfo]:
        """As `Sandbox.sessions`."""
        answer = json_of((await self._client.exchange("GET", "/v1/sessions"))[1])
        return [SessionInfo.from_json(entry) for entry in answer.get("sessions", ())]

    async def attach(self, session_id: str) -> AsyncSession:
        """As `Sandbox.attach`."""
        return AsyncSession(self._client, SessionInfo.from_json(
            json_of((await self._client.exchange("GET", session_path(session_id)))[1])))

    async def get_audit_log(self, *, limit: int = 100, since: Optional[When] = None, until: Optional[When] = None,
                            id: Optional[str] = None, status: Optional[str] = None, caller: Optional[str] = None,
                            surface: Optional[str] = None, code_sha256: Optional[str] = None,
                            denial: Optional[str] = None) -> List[AuditRun]:
        """As `Sandbox.get_audit_log`."""
        filters = {"id": id, "status": status, "caller": caller, "surface": surface, "code_sha256": code_sha256,
                   "denial": denial}
        path = audit_path(since, until, limit, filters)
        return audit_runs(json_of((await self._client.exchange("GET", path))[1]))

    async def environments(self) -> List[EnvironmentInfo]:
        """As `Sandbox.environments`."""
        return environments_of(json_of((await self._client.exchange("GET", ENVIRONMENTS))[1]))

    async def environment(self, environment_id: str) -> EnvironmentInfo:
        """As `Sandbox.environment`."""
        answer = (await self._client.exchange("GET", environment_path(environment_id)))[1]
        return EnvironmentInfo.from_json(json_of(answer))

    async def build_environment(self, name: str) -> EnvironmentInfo:
        """As `Sandbox.build_environment`."""
        answer = (await self._client.exchange("POST", ENVIRONMENTS, build_body(name)))[1]
        return EnvironmentInfo.from_json(json_of(answer))

    async def health(self) -> Mapping[str, Any]:
        """What the engine says of itself."""
        return json_of((await self._client.exchange("GET", "/v1/health"))[1])

    async def close(self) -> None:
        """Lets go of connections; the embedded engine stays for others."""
        self._client.close()

    async def __aenter__(self) -> AsyncSandbox:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()

    async def _result(self, body: bytes) -> Result:
        return read_result((await self._client.exchange("POST", "/v1/run", body))[1])
