"""Runs and steps as they happen, for code that waits."""

from __future__ import annotations

from typing import Iterator, Optional

from ._answers import checked
from ._calls import EVENTS, Handlers, last_result
from ._client import Client
from .events import Event, EventReader
from .results import Result

__all__ = ["events", "told_run"]


def events(client: Client, path: str, body: bytes) -> Iterator[Event]:
    """The events that `path` answers with."""
    reader = EventReader()
    event: Optional[Event] = None
    for line in client.lines("POST", path, body, EVENTS):
        event = reader.read(line)
        if event is not None:
            yield event
    last_result(event)


def told_run(client: Client, path: str, body: bytes, handlers: Handlers) -> Result:
    """A run whose events go to `handlers`."""
    event: Optional[Event] = None
    stream = events(client, path, body)
    try:
        for event in stream:
            handlers.tell(event)
    finally:
        # An exception of a callback must cancel the run now, not when the iterator is collected.
        stream.close()  # type: ignore[attr-defined]
    return checked(last_result(event))
