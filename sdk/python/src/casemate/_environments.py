"""Environments as the engine tells of them, for both kinds of client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping
from urllib.parse import quote

from ._request import dump_json
from .errors import ConnectionLost

__all__ = ["ENVIRONMENTS", "EnvironmentInfo", "build_body", "environment_path", "environments_of"]

ENVIRONMENTS = "/v1/environments"


@dataclass
class EnvironmentInfo:
    """An environment that was built; `raw` is all that the engine says of it."""

    id: str  # 64 hexadecimal digits; "sha256:" and this is a name for `environment=`
    kind: str = ""  # requirements, image, ...
    name: str = ""  # as it was asked for when it was built first
    created: str = ""
    python_version: str = ""
    bytes: int = 0
    files: int = 0
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EnvironmentInfo:
        if "id" not in data:
            raise ConnectionLost(f"the engine's answer is no environment: {str(data)[:80]}")
        values = {name: data[name] for name in cls.__dataclass_fields__ if name in data and name != "raw"}
        return cls(**values, raw=dict(data))


def environment_path(environment_id: str) -> str:
    return f"{ENVIRONMENTS}/{quote(environment_id, safe='')}"


def build_body(name: str) -> bytes:
    return dump_json({"name": name})


def environments_of(answer: Mapping[str, Any]) -> List[EnvironmentInfo]:
    return [EnvironmentInfo.from_json(entry) for entry in answer.get("environments", ())]
