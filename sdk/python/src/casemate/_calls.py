"""What the blocking and the asynchronous classes have in common: calls as data, and what their answers mean."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from . import _embedded
from ._embedded import EngineOptions
from ._endpoint import Fixed, Place, parse_url
from ._request import dump_json, merge, request_object
from .events import Denied, Displayed, Event, Finished, Stderr, Stdout
from .errors import ConnectionLost
from .results import Denial, Display, Result

__all__ = ["EVENTS", "BatchItem", "Handlers", "batch_bodies", "last_result", "locate", "run_body"]

EVENTS = "application/x-ndjson"


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
           engine: EngineOptions) -> Place:
    """Where the engine is: a server that was named, or the embedded one."""
    url = url or os.environ.get("CASEMATE_URL")
    if not url:
        return _embedded.shared(engine)
    return Fixed(parse_url(url, api_key or os.environ.get("CASEMATE_API_KEY"), allow_plaintext_key))


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
