"""The audit log of the engine, as far as its HTTP interface tells of it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Union
from urllib.parse import urlencode

__all__ = ["AuditRun", "audit_path", "audit_runs"]

When = Union[datetime.datetime, datetime.timedelta]


@dataclass
class AuditRun:
    """One run, as it was recorded: who asked, what came of it. Times are microseconds since 1970."""

    id: str
    started_us: int
    ended_us: Optional[int]
    status: str  # "open" for a run without an outcome
    caller: str
    surface: str
    code_sha256: str
    policy: str
    denials: int

    @property
    def started(self) -> datetime.datetime:
        return _time(self.started_us)

    @property
    def ended(self) -> Optional[datetime.datetime]:
        return None if self.ended_us is None else _time(self.ended_us)


def audit_path(since: Optional[When], until: Optional[When], limit: int, filters: Mapping[str, Optional[str]]) -> str:
    query = {name: value for name, value in filters.items() if value is not None}
    for name, when in (("since_us", since), ("until_us", until)):
        if when is not None:
            query[name] = str(_microseconds(when))
    return "/v1/audit?" + urlencode({**query, "limit": str(limit)})


def audit_runs(answer: Mapping[str, Any]) -> List[AuditRun]:
    names = AuditRun.__dataclass_fields__
    return [AuditRun(**{name: run.get(name) for name in names}) for run in answer["runs"]]


def _microseconds(when: When) -> int:
    if isinstance(when, datetime.timedelta):
        when = datetime.datetime.now(datetime.timezone.utc) - when
    elif when.tzinfo is None:
        raise ValueError("a time without a zone could mean any: give one, as in datetime.now(timezone.utc)")
    return int(when.timestamp() * 1_000_000)


def _time(microseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(microseconds / 1e6, datetime.timezone.utc)
