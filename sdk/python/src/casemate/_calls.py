"""What the blocking and the asynchronous classes have in common: calls as data, and what their answers mean."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import quote

from . import _embedded
from ._embedded import EngineOptions
from ._endpoint import Endpoint, parse_url
from ._request import dump_json, merge, request_object
from .events import Denied, Displayed, Event, Finished, Stderr, Stdout
from .errors import ConnectionLost
from .results import Denial, Display, Result

__all__ = ["Handlers", "SessionInfo", "batch_bodies", "locate", "run_body", "session_body"]

EVENTS = "application/x-ndjson"
# Of a session, not of the programs in it.
_SESSION_ONLY = ("idle_timeout", "lifetime", "name")


@dataclass
class Handlers:
    """Callbacks of one run, each called as things happen, in their order."""

    on_stdout: Optional[Callable[[str], Any]] = None
    on_stderr: Optional[Callable[[str], Any]] = None
    on_display: Optional[Callable[[Display], Any]] = None
    on_denial: Optional[Callable[[Denial], Any]] = None
    on_event: Optional[Callable[[Event], Any]] = None

    def __bool__(self) -> bool:
        return any((self.on_stdout, self.on_stderr, self.on_display, self.on_denial, self.on_event))

    def tell(self, event: Event) -> List[Any]:
        """What the callbacks returned; those of asyncio return something to wait for."""
        said = [self.on_event(event)] if self.on_event else []
        if isinstance(event, Stdout) and self.on_stdout:
            said.append(self.on_stdout(event.text))
        elif isinstance(event, Stderr) and self.on_stderr:
            said.append(self.on_stderr(event.text))
        elif isinstance(event, Displayed) and self.on_display:
            said.append(self.on_display(event.display))
        elif isinstance(event, Denied) and self.on_denial:
            said.append(self.on_denial(event.denial))
        return said


def locate(url: Optional[str], api_key: Optional[str], allow_plaintext_key: bool,
           engine: EngineOptions) -> Callable[[], Endpoint]:
    """Says where the engine is whenever it is asked: a server that was named, or the embedded one."""
    url = url or os.environ.get("CASEMATE_URL")
    if not url:
        return _embedded.shared(engine).endpoint
    endpoint = parse_url(url, api_key or os.environ.get("CASEMATE_API_KEY"), allow_plaintext_key)
    return lambda: endpoint


def program(code: Optional[str], command: Optional[Sequence[str]]) -> Dict[str, Any]:
    if (code is None) == (command is None):
        raise TypeError("give either code or command")
    if code is not None:
        return {"code": code}
    if isinstance(command, str):
        raise TypeError(f"command takes a list of texts, not one text: write ['sh', '-c', {command!r}]")
    return {"command": list(command or ())}


def run_body(code: Optional[str], command: Optional[Sequence[str]], defaults: Mapping[str, Any],
             options: Mapping[str, Any]) -> bytes:
    return dump_json(request_object(program(code, command), merge(defaults, options) if options else defaults))


def step_body(code: str, options: Mapping[str, Any]) -> bytes:
    """One step in a session."""
    return dump_json(request_object({"code": code}, merge({}, options) if options else options))


def session_body(defaults: Mapping[str, Any], options: Mapping[str, Any], idle_timeout_ms: Optional[int],
                 lifetime_ms: Optional[int], name: Optional[str]) -> bytes:
    request = request_object({}, merge(defaults, options))
    for key, value in (("idle_timeout_ms", idle_timeout_ms), ("lifetime_ms", lifetime_ms), ("name", name)):
        if value is not None:
            request[key] = value
    return dump_json(request)


BatchItem = Union[str, Mapping[str, Any]]


def batch_bodies(items: Iterable[BatchItem], defaults: Mapping[str, Any]) -> Iterator[bytes]:
    """A request for each item: a program's text, or the keyword arguments of `run`."""
    for item in items:
        options = {"code": item} if isinstance(item, str) else dict(item)
        code, command = options.pop("code", None), options.pop("command", None)
        yield run_body(code, command, defaults, options)


def last_result(event: Optional[Event]) -> Result:
    if not isinstance(event, Finished):
        raise ConnectionLost("the engine's events ended before the run did")
    return event.result


@dataclass
class SessionInfo:
    """What the engine says of a session; `raw` is all of it."""

    id: str
    state: str = ""
    name: Optional[str] = None
    created_at: Any = None
    expires_at: Any = None
    raw: Dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SessionInfo:
        if "id" not in data:
            raise ConnectionLost(f"the engine's answer is no session: {str(data)[:80]}")
        names = ("id", "state", "name", "created_at", "expires_at")
        return cls(**{name: data[name] for name in names if name in data}, raw=dict(data))


@dataclass
class FileInfo:
    """A file, folder or link in a session; `raw` is all that the engine says of it."""

    name: str
    kind: str = ""
    size_bytes: int = 0
    modified_at: Optional[datetime] = None
    raw: Dict[str, Any] = field(default_factory=dict, repr=False)


def session_path(session_id: str, rest: str = "") -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}{rest}"


def file_path(session_id: str, path: str, **query: str) -> str:
    """The address of a file; its slashes part folders, all else is quoted."""
    asked = "&".join(name if not value else f"{name}={quote(value, safe='/')}" for name, value in query.items())
    return session_path(session_id, f"/files/{quote(path.lstrip('/'))}{'?' + asked if asked else ''}")


def options_of(pairs: Sequence[Tuple[str, Any]]) -> Dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in pairs if value is not None}
