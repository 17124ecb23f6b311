"""Sessions: an interpreter that stays, with its variables, imports, files and working folder, from step to step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Mapping, Optional, Type, Union
from urllib.parse import quote

from ._answers import json_of, result_of
from ._calls import Handlers
from ._client import Client
from ._request import RunOptions
from ._session_calls import (CheckpointInfo, FileChange, FileInfo, SessionInfo, checkpoints_of, entries_of, file_path,
                             fork_body, name_body, rewind_body, session_path, step_body)
from ._stream import events, told_run
from .errors import NotFound
from .events import Event
from .results import Denial, Display, Result

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

__all__ = ["Files", "Session"]

BYTES = "application/octet-stream"
LINES = "application/x-ndjson"


class Session:
    """One interpreter in one sandbox, made by `Sandbox.session()`; ended by `close()`, by being idle, by its lifetime.

    >>> with sandbox.session(memory="256m") as session:
    ...     session.run("x = 20")
    ...     session.run("x + 1").result
    21

    One step at a time. Limits of memory, processes and disk hold for the session, those of time and output for a step.
    What survives which failure is told in casemate's own documentation; `info().state` says whether it lives.
    """

    def __init__(self, client: Client, info: SessionInfo) -> None:
        self._client = client
        self._run_path = session_path(info.id, "/run")
        self.id = info.id
        self.files = Files(client, info.id)

    def run(self, code: str, *, context: Optional[str] = None, on_stdout: Optional[Callable[[str], Any]] = None,
            on_stderr: Optional[Callable[[str], Any]] = None, on_display: Optional[Callable[[Display], Any]] = None,
            on_denial: Optional[Callable[[Denial], Any]] = None, on_event: Optional[Callable[[Event], Any]] = None,
            **options: Unpack[RunOptions]) -> Result:
        """Runs one step. Its value is the variable `result` where it sets that, otherwise the last expression's.
        `options` are those of a step: `input`, `timeout`, schemas, ... Raises as `Sandbox.run` does, and
        `RequestRefused` (409) for a session that has ended or is busy.
        """
        body = step_body(code, options, context)
        handlers = Handlers(on_stdout, on_stderr, on_display, on_denial, on_event)
        if not handlers:
            return result_of(self._client.exchange("POST", self._run_path, body)[1])
        return told_run(self._client, self._run_path, body, handlers)

    def stream(self, code: str, *, context: Optional[str] = None, **options: Unpack[RunOptions]) -> Iterator[Event]:
        """The events of a step as they happen. Leaving the iterator interrupts the step."""
        return events(self._client, self._run_path, step_body(code, options, context))

    def interrupt(self) -> None:
        """KeyboardInterrupt in the step that runs; what does not end by it ends the session. Returns at once."""
        self._client.exchange("POST", session_path(self.id, "/interrupt"))

    def fork(self, *, name: Optional[str] = None) -> Session:
        """A session that begins where this one is, in a sandbox of its own: a copy of its memory (copy-on-write) and of
        its files. Both go on without threads, child processes and open files; global random generators begin anew.
        """
        return self.forks(1, name=name)[0]

    def forks(self, count: int, *, name: Optional[str] = None) -> List[Session]:
        """So many at once, at the cost of one."""
        answer = json_of(self._client.exchange("POST", session_path(self.id, "/fork"),
                         fork_body(count, name))[1])
        return [Session(self._client, SessionInfo.from_json(info)) for info in answer["sessions"]]

    def checkpoint(self, name: Optional[str] = None) -> CheckpointInfo:
        """A state to rewind() to, as long as the session lives; it costs what is changed after it."""
        return CheckpointInfo.from_json(json_of(self._client.exchange(
            "POST", session_path(self.id, "/checkpoints"), name_body(name))[1]))

    def checkpoints(self) -> List[CheckpointInfo]:
        """Those that it has."""
        return checkpoints_of(json_of(self._client.exchange("GET", session_path(self.id, "/checkpoints"))[1]))

    def drop_checkpoint(self, checkpoint: Union[str, CheckpointInfo]) -> None:
        """Forgets one, and frees its memory."""
        known = checkpoint.id if isinstance(checkpoint, CheckpointInfo) else checkpoint
        self._client.exchange("DELETE", session_path(self.id, f"/checkpoints/{quote(known, safe='')}"))

    def rewind(self, checkpoint: Union[str, CheckpointInfo]) -> SessionInfo:
        """Goes back to a checkpoint, which stays. What came after it is lost."""
        return SessionInfo.from_json(json_of(self._client.exchange(
            "POST", session_path(self.id, "/rewind"), rewind_body(checkpoint))[1]))

    def info(self) -> SessionInfo:
        """What the engine says of it at this moment."""
        return SessionInfo.from_json(json_of(self._client.exchange("GET", session_path(self.id))[1]))

    def close(self) -> None:
        """Ends it, with a step that runs. One that is gone already is no error."""
        try:
            self._client.exchange("DELETE", session_path(self.id))
        except NotFound:
            pass

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()


class Files:
    """The files of a session's working folder. Paths are relative to /workspace, or begin with it, and cannot leave it:
    the kernel resolves them, whatever links the program makes.
    """

    def __init__(self, client: Client, session_id: str) -> None:
        self._client = client
        self._id = session_id

    def put(self, path: str, content: Union[bytes, str]) -> None:
        """Writes a file; missing folders are made, and what is there is replaced."""
        data = content.encode("utf-8") if isinstance(content, str) else content
        self._client.exchange("PUT", file_path(self._id, path), data, BYTES)

    def get(self, path: str) -> bytes:
        """A file's content."""
        return self._client.exchange("GET", file_path(self._id, path), accept=BYTES)[1]

    def list(self, path: str = "") -> List[FileInfo]:
        """What a folder holds, by name."""
        return entries_of(json_of(self._client.exchange("GET", file_path(self._id, path, "?list"))[1]))

    def stat(self, path: str) -> FileInfo:
        return FileInfo.from_json(json_of(self._client.exchange("GET", file_path(self._id, path, "?stat"))[1]))

    def watch(self, path: str = "") -> Iterator[FileChange]:
        """What changes in a folder, directly below it, or to a file, as it happens: the engine looks twice a second.
        Ends when the path or the session is gone. A session that is watched is not idle; closing the iterator ends it.
        """
        for line in self._client.lines("GET", file_path(self._id, path, "?watch"), b"", LINES):
            change = FileChange.from_line(line)
            if change is not None:
                yield change

    def move(self, path: str, to: str) -> None:
        """Renames a file or folder; a file that is there is replaced."""
        self._client.exchange("POST", file_path(self._id, path, move_to=to))

    def remove(self, path: str) -> None:
        self._client.exchange("DELETE", file_path(self._id, path))


def open_session(client: Client, body: bytes) -> Session:
    return Session(client, SessionInfo.from_json(json_of(client.exchange("POST", "/v1/sessions", body)[1])))


def known_sessions(client: Client) -> List[SessionInfo]:
    answer: Mapping[str, Any] = json_of(client.exchange("GET", "/v1/sessions")[1])
    return [SessionInfo.from_json(entry) for entry in answer.get("sessions", ())]
