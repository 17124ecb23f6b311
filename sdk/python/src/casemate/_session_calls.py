"""A session's calls as data, for both kinds of client."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional, Union
from urllib.parse import quote

from ._request import dump_json, merge, request_object
from ._units import Duration, milliseconds
from .errors import ConnectionLost

__all__ = ["CheckpointInfo", "FileChange", "FileInfo", "SessionInfo", "checkpoints_of", "entries_of", "file_path",
           "fork_body", "name_body", "rewind_body", "session_body", "session_path", "step_body"]


@dataclass
class SessionInfo:
    """What the engine says of a session; `raw` is all of it."""

    id: str
    state: str = ""  # idle, running, ended
    name: str = ""
    ended_because: str = ""
    parent: str = ""  # the session that it was forked from
    created_at: Optional[datetime] = None
    last_used_at: Optional[datetime] = None
    expires_at: Optional[datetime] = None
    steps: int = 0
    policy: str = ""
    environment: str = ""
    tier: str = ""
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SessionInfo:
        if "id" not in data:
            raise ConnectionLost(f"the engine's answer is no session: {str(data)[:80]}")
        values = {name: data[name] for name in cls.__dataclass_fields__ if name in data and name != "raw"}
        for name in ("created_at", "last_used_at", "expires_at"):
            if name in values:
                values[name] = _time(values[name])
        return cls(**values, raw=dict(data))


@dataclass
class CheckpointInfo:
    """A state of a session that waits to be gone back to."""

    id: str
    name: str = ""
    created_at: Optional[datetime] = None
    steps: int = 0  # that the session had begun by then
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CheckpointInfo:
        if "id" not in data:
            raise ConnectionLost(f"the engine's answer is no checkpoint: {str(data)[:80]}")
        values = {name: data[name] for name in cls.__dataclass_fields__ if name in data and name != "raw"}
        if "created_at" in values:
            values["created_at"] = _time(values["created_at"])
        return cls(**values, raw=dict(data))


@dataclass
class FileInfo:
    """A file, folder, link or something else in a session's working folder."""

    name: str  # relative to the folder that was listed, or as asked
    kind: str = "file"  # file, folder, link, other
    size_bytes: int = 0
    modified_at: Optional[datetime] = None
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FileInfo:
        if "name" not in data:
            raise ConnectionLost(f"the engine's answer is no file: {str(data)[:80]}")
        values = {name: data[name] for name in cls.__dataclass_fields__ if name in data and name != "raw"}
        if "modified_at" in values:
            values["modified_at"] = _time(values["modified_at"])
        return cls(**values, raw=dict(data))


@dataclass
class FileChange:
    """What has become of a file, folder or link that is watched."""

    change: str  # created, changed, removed
    entry: FileInfo  # as it is; of one that was removed, as it was

    @classmethod
    def from_line(cls, line: bytes) -> Optional[FileChange]:
        """What a line of a watch tells; None for one that tells of no change."""
        if not line:
            return None
        data = json.loads(line)
        if data.get("event") != "change":
            return None
        return cls(data["data"]["change"], FileInfo.from_json(data["data"]["entry"]))


def _time(text: str) -> datetime:
    """A time of RFC 3339 in UTC; Python 3.9 does not know its "Z"."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def session_path(session_id: str, rest: str = "") -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}{rest}"


def file_path(session_id: str, path: str, query: str = "", move_to: Optional[str] = None) -> str:
    """The address of a file, whose slashes part folders and whose other characters are quoted. Raises ValueError for
    a path that leaves the working folder; the engine would refuse it too.
    """
    if move_to is not None:
        query = f"?move_to={quote(_relative(move_to))}"
    return session_path(session_id, f"/files/{quote(_relative(path))}{query}")


def _relative(path: str) -> str:
    relative = posixpath.relpath(path, "/workspace") if path.startswith("/workspace") else path
    if relative.startswith("/") or ".." in relative.split("/") or "\0" in relative:
        raise ValueError(f"{path!r} is not in the session's working folder: give a path relative to /workspace")
    return "" if relative in (".", "./") else relative


def entries_of(answer: Mapping[str, Any]) -> List[FileInfo]:
    return [FileInfo.from_json(entry) for entry in answer.get("entries", ())]


def checkpoints_of(answer: Mapping[str, Any]) -> List[CheckpointInfo]:
    return [CheckpointInfo.from_json(entry) for entry in answer.get("checkpoints", ())]


def fork_body(count: int, name: Optional[str]) -> bytes:
    return dump_json({"count": count} if name is None else {"count": count, "name": name})


def name_body(name: Optional[str]) -> bytes:
    return dump_json({} if name is None else {"name": name})


def rewind_body(checkpoint: Union[str, CheckpointInfo]) -> bytes:
    return dump_json({"checkpoint": checkpoint.id if isinstance(checkpoint, CheckpointInfo) else checkpoint})


def session_body(defaults: Mapping[str, Any], options: Mapping[str, Any], name: Optional[str],
                 idle_timeout: Optional[Duration], lifetime: Optional[Duration]) -> bytes:
    request = request_object({}, merge(defaults, options))
    if name is not None:
        request["name"] = name
    for key, value in (("idle_timeout_ms", idle_timeout), ("lifetime_ms", lifetime)):
        if value is not None:
            request[key] = milliseconds(value)
    return dump_json(request)


def step_body(code: str, options: Mapping[str, Any], context: Optional[str] = None) -> bytes:
    """One step; what it does not say is the session's."""
    program = {"code": code} if context is None else {"code": code, "context": context}
    if not options:
        return dump_json(program)
    return dump_json(request_object(program, merge({}, options)))
