"""What a run may be given, and how it becomes the request object that every surface takes."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, TypedDict, Union

from ._units import Duration, Size, milliseconds, size_bytes

__all__ = ["RunOptions", "dump_json", "merge", "request_object"]

FileContent = Union[str, bytes, "os.PathLike[str]"]
SecretPlace = Union[str, Sequence[str], Mapping[str, Any]]


class RunOptions(TypedDict, total=False):
    """The keyword arguments of `run`, and of `Sandbox` as defaults for all its runs.

    Sizes are bytes or texts such as "128m", times are seconds or texts such as "1m30s".
    """

    input: Any  # any JSON value, seen as INPUT_DATA
    input_schema: Any  # JSON Schemas
    result_schema: Any
    stdin: Union[str, bytes]
    args: Sequence[str]  # sys.argv[1:]
    files: Mapping[str, FileContent]  # name in /workspace: text, bytes, or a pathlib.Path that is read here
    workspace: Union[str, "os.PathLike[str]", Mapping[str, str]]  # a host folder, read-only; or {"path", "mode"}
    mounts: Sequence[Mapping[str, str]]  # [{"path", "inside", "mode"}]
    collect: Sequence[str]  # globs of files to return
    env: Mapping[str, str]
    secrets: Mapping[str, SecretPlace]  # name: where it is, such as "env:API_KEY"; never a value
    timeout: Duration  # wall time
    memory: Size
    cpus: float
    cpu_time: Duration
    pids_limit: int
    tmp_size: Size
    limits: Mapping[str, float]  # by the engine's own names, such as stdout_bytes_max
    require_limits: bool
    policy: Union[str, Mapping[str, Any]]  # a profile, or {"name": profile, "limits", "network", "checks", ...}
    checks: str  # open, checked, restricted
    allowed_packages: Sequence[str]
    complexity: Mapping[str, int]
    isolation: str  # a tier, or auto
    require: str  # the weakest tier that will do
    redact: str  # secrets, pii, internal, several with commas, all, off
    redact_files: bool
    redact_off: Sequence[str]  # rules that are left out, by name
    redact_rules: str  # further rules: TOML in the form of profiles/redaction/
    network: Union[str, Mapping[str, Any]]  # none, allow:HOST[:PORTS],... or {"allow": [...]}
    environment: str
    language: str
    runtime: str  # of the tier gvisor or another OCI one: its name
    code_name: str  # the file name that tracebacks show
    trace_parent: str  # the caller's trace context, "00-..."
    trace_state: str  # what its tracing systems say besides, "KEY=VALUE,..."
    extra: Mapping[str, Any]  # further fields of the request object, as they are


_LIMITS: Dict[str, Tuple[str, Callable[[Any], Any]]] = {
    "timeout": ("wall_time_ms", milliseconds),
    "memory": ("memory_bytes", size_bytes),
    "cpus": ("cpus", float),
    "cpu_time": ("cpu_time_ms", milliseconds),
    "pids_limit": ("processes_max", int),
    "tmp_size": ("tmp_bytes", size_bytes),
}
# What a call adds to the defaults of its sandbox; all else it replaces.
_MERGED = ("env", "files", "secrets", "limits", "complexity", "extra")
_KNOWN = frozenset(RunOptions.__annotations__)
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def merge(defaults: Mapping[str, Any], options: Mapping[str, Any]) -> Dict[str, Any]:
    """`options` over `defaults`. Raises TypeError for an option that there is not."""
    for name in options:
        if name not in _KNOWN:
            raise TypeError(f"there is no option {name!r}; known are {', '.join(sorted(_KNOWN))}")
    merged = {**defaults, **options}
    for name in _MERGED:
        if name in defaults and name in options:
            merged[name] = {**defaults[name], **options[name]}
    return merged


def request_object(program: Mapping[str, Any], options: Mapping[str, Any]) -> Dict[str, Any]:
    """The request for `program` ({"code"} or {"command"}), with `options` in the engine's own terms."""
    request: Dict[str, Any] = dict(program)
    limits: Dict[str, float] = {}
    for name, value in options.items():
        if name in _LIMITS:
            field, convert = _LIMITS[name]
            limits[field] = convert(value)
        elif name not in ("limits", "extra"):
            key, encoded = _ENCODERS[name](value) if name in _ENCODERS else (name, value)
            request[key] = encoded
    limits.update(options.get("limits", {}))
    if limits:
        request["limits"] = limits
    request.update(options.get("extra", {}))
    return request


def dump_json(value: Any) -> bytes:
    """`value` as strict JSON. Raises TypeError or ValueError for what JSON cannot tell."""
    return _ENCODER.encode(value).encode("utf-8")


def _files(files: Mapping[str, FileContent]) -> Tuple[str, Dict[str, Any]]:
    return "files", {name: _content(content) for name, content in files.items()}


def _content(content: FileContent) -> Any:
    if isinstance(content, str):
        return content
    data = content if isinstance(content, bytes) else Path(content).read_bytes()
    return {"base64": base64.b64encode(data).decode("ascii")}


def _stdin(value: Union[str, bytes]) -> Tuple[str, str]:
    if isinstance(value, str):
        return "stdin", value
    return "stdin_base64", base64.b64encode(value).decode("ascii")


def _workspace(value: Union[str, os.PathLike[str], Mapping[str, str]]) -> Tuple[str, Dict[str, str]]:
    entry = dict(value) if isinstance(value, Mapping) else {"path": os.fspath(value)}
    if "path" in entry:
        entry["path"] = os.path.abspath(entry["path"])
    return "workspace", entry


def _mounts(mounts: Sequence[Mapping[str, str]]) -> Tuple[str, List[Dict[str, str]]]:
    return "mounts", [{**mount, **({"path": os.path.abspath(mount["path"])} if "path" in mount else {})}
                      for mount in mounts]


def _list(name: str) -> Callable[[Sequence[str]], Tuple[str, List[str]]]:
    def encode(value: Sequence[str]) -> Tuple[str, List[str]]:
        if isinstance(value, str):
            raise TypeError(f"{name} takes a list of texts, not one text: write [{value!r}]")
        return name, list(value)

    return encode


_ENCODERS: Dict[str, Callable[[Any], Tuple[str, Any]]] = {
    "files": _files,
    "stdin": _stdin,
    "workspace": _workspace,
    "mounts": _mounts,
    **{name: _list(name) for name in ("args", "collect", "allowed_packages")},
}
