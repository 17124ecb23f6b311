"""Runs programs in fresh sandboxes, and waits for them. `casemate.async_sandbox` has the same for asyncio."""

from __future__ import annotations

import collections
import concurrent.futures
from typing import TYPE_CHECKING, Any, Callable, Deque, Iterable, Iterator, List, Mapping, Optional, Sequence, Type

from ._answers import json_of, read_result, result_of
from ._audit import AuditRun, When, audit_path, audit_runs
from ._calls import BatchItem, Handlers, batch_bodies, locate, run_body
from ._client import Client
from ._embedded import EngineOptions
from ._environments import ENVIRONMENTS, EnvironmentInfo, build_body, environment_path, environments_of
from ._request import RunOptions, merge
from ._session_calls import SessionInfo, session_body, session_path
from ._stream import events, told_run
from ._units import Duration
from .events import Event
from .results import Denial, Display, Result
from .session import Session, known_sessions, open_session

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

__all__ = ["Sandbox"]

_BATCH_JOBS = 4


class Sandbox:
    """Where programs are run: each `run` in a sandbox of its own that is gone afterwards.

    >>> from casemate import Sandbox
    >>> with Sandbox(memory="128m", timeout=10) as sandbox:
    ...     sandbox.run("result = INPUT_DATA * 7", input=6).result
    42

    The keyword arguments are those of `run` (`casemate.RunOptions`) and hold for all its runs. `url` (or CASEMATE_URL)
    names a server: http://, https:// or unix:/path, with `api_key` (or CASEMATE_API_KEY). Without one an embedded
    engine is started at the first run, shared by all sandboxes of this process with the same `engine` options, and
    ended with the process. Threads may share a sandbox.
    """

    def __init__(self, *, url: Optional[str] = None, api_key: Optional[str] = None, allow_plaintext_key: bool = False,
                 engine: Optional[EngineOptions] = None, **defaults: Unpack[RunOptions]) -> None:
        self._defaults: Mapping[str, Any] = merge({}, defaults)
        self._client = Client(locate(url, api_key, allow_plaintext_key, engine or EngineOptions()))

    def run(self, code: Optional[str] = None, *, command: Optional[Sequence[str]] = None,
            on_stdout: Optional[Callable[[str], Any]] = None, on_stderr: Optional[Callable[[str], Any]] = None,
            on_display: Optional[Callable[[Display], Any]] = None, on_denial: Optional[Callable[[Denial], Any]] = None,
            on_event: Optional[Callable[[Event], Any]] = None, **options: Unpack[RunOptions]) -> Result:
        """Runs Python code, or a command, to its end. Raises for Casemate's own failures alone; whatever becomes of
        the program is in the result. The callbacks are called here while it runs; an exception in one cancels it.
        """
        body = run_body(code, command, self._defaults, options)
        handlers = Handlers(on_stdout, on_stderr, on_display, on_denial, on_event)
        if not handlers:
            return result_of(self._client.exchange("POST", "/v1/run", body)[1])
        return told_run(self._client, "/v1/run", body, handlers)

    def stream(self, code: Optional[str] = None, *, command: Optional[Sequence[str]] = None,
               **options: Unpack[RunOptions]) -> Iterator[Event]:
        """The events of a run as they happen; the last one, `Finished`, has the result. Closing the iterator (or
        letting go of it) cancels the run.
        """
        return events(self._client, "/v1/run", run_body(code, command, self._defaults, options))

    def run_batch(self, items: Iterable[BatchItem], *, jobs: int = _BATCH_JOBS) -> Iterator[Result]:
        """The results of many programs, in their order, `jobs` of them at a time. An item is a program's text or the
        keyword arguments of `run`. Items are taken as they are needed, so there may be any number. No result raises,
        `failed` included: one must not lose the others.
        """
        if jobs < 1:
            raise ValueError(f"jobs is {jobs}, and nothing would run: give 1 or more")
        bodies = batch_bodies(items, self._defaults)
        under_way: Deque[concurrent.futures.Future[bytes]] = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(jobs, "casemate-batch") as pool:
            try:
                for body in bodies:
                    under_way.append(pool.submit(self._answer, body))
                    if len(under_way) > 2 * jobs:
                        yield read_result(under_way.popleft().result())
                while under_way:
                    yield read_result(under_way.popleft().result())
            finally:
                for future in under_way:
                    future.cancel()

    def session(self, *, name: Optional[str] = None, idle_timeout: Optional[Duration] = None,
                lifetime: Optional[Duration] = None, **options: Unpack[RunOptions]) -> Session:
        """Starts a session: an interpreter that keeps its state from step to step. `options` are those of `run` but for
        what belongs to one program. It ends when it is closed, after `idle_timeout` without a step, after `lifetime`.
        """
        return open_session(self._client, session_body(self._defaults, options, name, idle_timeout, lifetime))

    def sessions(self) -> List[SessionInfo]:
        """The engine's sessions, as far as they are this caller's."""
        return known_sessions(self._client)

    def attach(self, session_id: str) -> Session:
        """A session that is there already. Raises NotFound for one that is not."""
        return Session(self._client, SessionInfo.from_json(
            json_of(self._client.exchange("GET", session_path(session_id))[1])))

    def get_audit_log(self, *, limit: int = 100, since: Optional[When] = None, until: Optional[When] = None,
                      id: Optional[str] = None, status: Optional[str] = None, caller: Optional[str] = None,
                      surface: Optional[str] = None, code_sha256: Optional[str] = None,
                      denial: Optional[str] = None) -> List[AuditRun]:
        """What this engine's audit log has of runs, the oldest first: of those that match, the last `limit`. `since`
        and `until` are times with a zone, or how long ago; `status` may be "open", `denial` a kind or "any",
        `code_sha256` its first digits. Over a network it needs a key with the scope audit.
        """
        filters = {"id": id, "status": status, "caller": caller, "surface": surface, "code_sha256": code_sha256,
                   "denial": denial}
        return audit_runs(json_of(self._client.exchange("GET", audit_path(since, until, limit, filters))[1]))

    def environments(self) -> List[EnvironmentInfo]:
        """Those that were built on the engine. Over a network this and the next two need a key with the scope
        environments.
        """
        return environments_of(json_of(self._client.exchange("GET", ENVIRONMENTS)[1]))

    def environment(self, environment_id: str) -> EnvironmentInfo:
        """One of them, by its hash or its first digits. Raises NotFound for one that is not there."""
        answer = self._client.exchange("GET", environment_path(environment_id))[1]
        return EnvironmentInfo.from_json(json_of(answer))

    def build_environment(self, name: str) -> EnvironmentInfo:
        """Builds what `casemate env build NAME` builds, and waits for it; a run that names it builds it too."""
        answer = self._client.exchange("POST", ENVIRONMENTS, build_body(name))[1]
        return EnvironmentInfo.from_json(json_of(answer))

    def health(self) -> Mapping[str, Any]:
        """What the engine says of itself."""
        return json_of(self._client.exchange("GET", "/v1/health")[1])

    def close(self) -> None:
        """Lets go of connections; the embedded engine stays for others. A later run opens them anew."""
        self._client.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def _answer(self, body: bytes) -> bytes:
        return self._client.exchange("POST", "/v1/run", body)[1]
