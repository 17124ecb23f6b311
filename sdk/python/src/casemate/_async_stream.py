"""Runs and steps as they happen, for asyncio."""

from __future__ import annotations

import inspect
from typing import AsyncIterator, Optional

from ._aio import AsyncClient
from ._answers import checked
from ._calls import EVENTS, Handlers, last_result
from .events import Event, EventReader
from .results import Result

__all__ = ["events", "told_run"]


async def events(client: AsyncClient, path: str, body: bytes) -> AsyncIterator[Event]:
    """The events that `path` answers with."""
    reader = EventReader()
    event: Optional[Event] = None
    lines = client.lines("POST", path, body, EVENTS)
    try:
        async for line in lines:
            event = reader.read(line)
            if event is not None:
                yield event
    finally:
        await lines.aclose()  # type: ignore[attr-defined]
    last_result(event)


async def told_run(client: AsyncClient, path: str, body: bytes, handlers: Handlers) -> Result:
    """A run whose events go to `handlers`."""
    event: Optional[Event] = None
    stream = events(client, path, body)
    try:
        async for event in stream:
            for said in handlers.tell(event):
                if inspect.isawaitable(said):
                    await said
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
    return checked(last_result(event))
