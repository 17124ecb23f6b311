"""A run as it happens: one ordered stream of events, already redacted, the last of which is `Finished`."""

from __future__ import annotations

import base64
import codecs
import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Union

from .errors import ConnectionLost
from .results import Denial, Display, ProgramError, Result

__all__ = [
    "Denied",
    "Displayed",
    "Event",
    "EventReader",
    "Failed",
    "Finished",
    "Started",
    "Stderr",
    "Stdout",
    "Valued",
]


@dataclass
class Started:
    """The run has its id and is about to begin."""

    id: str


@dataclass
class Stdout:
    text: str


@dataclass
class Stderr:
    text: str


@dataclass
class Displayed:
    display: Display


@dataclass
class Denied:
    denial: Denial


@dataclass
class Valued:
    """The program's `result`."""

    value: Any


@dataclass
class Failed:
    """What the program raised, or why it did not run."""

    error: ProgramError


@dataclass
class Finished:
    """The last event; the whole result."""

    result: Result


Event = Union[Started, Stdout, Stderr, Displayed, Denied, Valued, Failed, Finished]


class EventReader:
    """Reads the lines of one stream of events."""

    def __init__(self) -> None:
        make = codecs.getincrementaldecoder("utf-8")
        # A piece may end within a character; the next one of the same stream goes on with it.
        self._text = {"stdout": make("replace"), "stderr": make("replace")}

    def read(self, line: bytes) -> Optional[Event]:
        """The event of one line; None for one that this package does not know. Raises ConnectionLost."""
        try:
            data = json.loads(line)
            kind = data["event"]
            if kind in self._text:
                return self._piece(kind, data)
            make = _MAKERS.get(kind)
            return make(data) if make else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConnectionLost(f"the engine sent what is no event: {line[:80]!r}") from error

    def _piece(self, kind: str, data: Dict[str, Any]) -> Event:
        raw = data["text"].encode() if "text" in data else base64.b64decode(data["base64"])
        text = self._text[kind].decode(raw)
        return Stdout(text) if kind == "stdout" else Stderr(text)


_MAKERS: Dict[str, Callable[[Dict[str, Any]], Event]] = {
    "started": lambda data: Started(data["id"]),
    "display": lambda data: Displayed(Display(dict(data["data"]))),
    "denial": lambda data: Denied(Denial(**data["denial"])),
    "result": lambda data: Valued(data["value"]),
    "error": lambda data: Failed(ProgramError(**data["error"])),
    "finished": lambda data: Finished(Result.from_json(data["result"])),
}
