"""What comes back from a run: the result object of every surface, as dataclasses with the same field names.

This file is the only place that knows those names. What an engine that is newer than this package adds is in
`Result.raw`, the object as it came.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from . import notebook
from .errors import EngineFailed, RunError

__all__ = [
    "Denial",
    "Display",
    "Enforced",
    "Finding",
    "Isolation",
    "NotEnforced",
    "OutputFile",
    "PassedOver",
    "ProgramError",
    "Redaction",
    "Result",
    "SessionStep",
    "Timing",
    "Truncated",
    "Usage",
]

T = TypeVar("T")


@dataclass
class Truncated:
    """Whether something was cut because it was longer than its limit."""

    stdout: bool = False
    stderr: bool = False
    displays: bool = False
    files: bool = False


@dataclass
class Display:
    """One thing to show, in one or more MIME types. Written by the program: its HTML and SVG are untrusted."""

    data: Dict[str, str] = field(default_factory=dict)

    @property
    def png(self) -> Optional[bytes]:
        """The picture, where there is one in PNG."""
        return _bytes_of(self.data["image/png"]) if "image/png" in self.data else None

    @property
    def svg(self) -> Optional[str]:
        return self.data.get("image/svg+xml")

    @property
    def html(self) -> Optional[str]:
        return self.data.get("text/html")

    @property
    def text(self) -> Optional[str]:
        return self.data.get("text/plain")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        return notebook.display_bundle(self.data)


@dataclass
class OutputFile:
    """A file that the program left and that `collect` asked for."""

    name: str
    size_bytes: int = 0
    content_base64: str = field(default="", repr=False)
    truncated: bool = False

    @property
    def content(self) -> bytes:
        return _bytes_of(self.content_base64)


@dataclass
class ProgramError:
    """What the program raised, in its own words, or Casemate's refusal (`type` begins with "casemate.")."""

    type: str = ""
    message: str = ""
    traceback: str = ""
    hint: str = ""


@dataclass
class Denial:
    """Something that the sandbox refused, and what to change."""

    kind: str = ""
    what: str = ""
    count: int = 1
    remedy: str = ""


@dataclass
class Redaction:
    """That something was taken out, and where; never the thing itself."""

    rule: str = ""
    where: str = ""
    count: int = 0
    offset: int = 0


@dataclass
class Finding:
    """What a look at the code has found (`checks`)."""

    rule: str = ""
    severity: str = ""
    line: int = 0
    column: int = 0
    snippet: str = ""
    reason: str = ""
    remedy: str = ""


@dataclass
class Usage:
    """As the kernel measured it, from outside."""

    wall_ms: int = 0
    cpu_ms: int = 0
    memory_peak_bytes: int = 0
    processes_peak: int = 0
    tmp_peak_bytes: int = 0
    stdout_bytes: int = 0
    stderr_bytes: int = 0


@dataclass
class Timing:
    """A named step of the run."""

    step: str = ""
    microseconds: int = 0


@dataclass
class Enforced:
    guarantee: str = ""
    mechanism: str = ""


@dataclass
class NotEnforced:
    """A guarantee that this host cannot hold as it should, what stands in for it, and how to mend it."""

    guarantee: str = ""
    reason: str = ""
    fallback: str = ""
    remedy: str = ""


@dataclass
class PassedOver:
    """A stronger tier that was not used, and why."""

    tier: str = ""
    reason: str = ""


@dataclass
class Isolation:
    """Which guarantees held, and by what."""

    tier: str = ""
    enforced: List[Enforced] = field(default_factory=list)
    not_enforced: List[NotEnforced] = field(default_factory=list)
    passed_over: List[PassedOver] = field(default_factory=list)


@dataclass
class SessionStep:
    """The session that a step belongs to, after the step."""

    id: str = ""
    step: int = 0
    state: str = ""  # idle, ended
    ended_because: str = ""


@dataclass
class Result:
    """All that came back from one run. `status` is exactly one of:

    ok, error, timeout, cpu_limit, memory_limit, process_limit, disk_limit, output_limit, result_invalid, rejected,
    denied, cancelled, unavailable, failed. Of these `rejected` and `unavailable` mean that nothing has run.
    """

    id: str
    status: str
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    stdout: str = ""
    stderr: str = ""
    truncated: Truncated = field(default_factory=Truncated)
    result: Any = None
    displays: List[Display] = field(default_factory=list)
    files: List[OutputFile] = field(default_factory=list)
    error: Optional[ProgramError] = None
    denials: List[Denial] = field(default_factory=list)
    redactions: List[Redaction] = field(default_factory=list)
    checks: str = "open"
    findings: List[Finding] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    timings: List[Timing] = field(default_factory=list)
    isolation: Isolation = field(default_factory=Isolation)
    policy: str = ""
    environment: str = ""
    code_sha256: str = ""
    session: Optional[SessionStep] = None
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """The inverse of `to_json`. Fields that are not known here stay in `raw` alone."""
        result = cls.__new__(cls)
        raw = dict(data)
        # What is not there has its default, as the class says it; `__getattr__` makes the rest of what is.
        fields: Dict[str, Any] = {name: raw[name] for name in _PLAIN if name in raw}
        fields["raw"], fields["id"], fields["status"] = raw, raw["id"], raw["status"]
        for name, load in _OPTIONAL.items():
            if raw.get(name) is not None:
                fields[name] = load(raw[name])
        result.__dict__.update(fields)
        return result

    if not TYPE_CHECKING:  # a type checker knows all fields

        def __getattr__(self, name: str) -> Any:
            """A nested field when it is first asked for: to make all of them takes longer than to read the JSON, and
            hardly anybody looks at more than one.
            """
            if name not in _NESTED:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            load, default = _NESTED[name]
            value = self.__dict__.get("raw", {}).get(name)
            # Two threads must not get one each.
            return self.__dict__.setdefault(name, default() if value is None else load(value))

    def to_json(self) -> Dict[str, Any]:
        """The result object that every surface of Casemate gives."""
        values = dataclasses.asdict(self)
        del values["raw"]
        # What only a step of a session has.
        if self.session is None:
            del values["session"]
        elif not self.session.ended_because:
            del values["session"]["ended_because"]
        values["displays"] = [display["data"] for display in values["displays"]]
        return values

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    def raise_for_status(self) -> Result:
        """Itself when the status is `ok`; otherwise raises `RunError`, or `EngineFailed` for Casemate's own fault."""
        if self.status == "failed":
            raise EngineFailed(self)
        if self.status != "ok":
            raise RunError(self)
        return self

    def summary(self) -> str:
        """One line: the status and what a person would ask next."""
        said = ""
        if self.error is not None:
            said = f"{self.error.type}: {self.error.message}".strip(": ")
            if self.error.hint:
                said += f" ({self.error.hint})"
        elif self.findings:
            said = f"line {self.findings[0].line}: {self.findings[0].reason}"
        elif self.exit_code:
            said = f"exit code {self.exit_code}"
        elif self.signal:
            said = f"signal {self.signal}"
        if self.denials and self.status in ("denied", "error"):
            denial = self.denials[0]
            said += f"{'; ' if said else ''}refused: {denial.kind} {denial.what}: {denial.remedy}"
        return f"{self.status}: {said}" if said else self.status

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        return notebook.result_bundle(self)


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _load(cls: Type[T], data: Mapping[str, Any]) -> T:
    try:
        return cls(**data)
    except TypeError:
        known = {entry.name for entry in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: value for name, value in data.items() if name in known})


def _each(cls: Type[T]) -> Callable[[List[Mapping[str, Any]]], List[T]]:
    return lambda items: [_load(cls, item) for item in items]


def _isolation(data: Mapping[str, Any]) -> Isolation:
    values = dict(data)
    for name, cls in (("enforced", Enforced), ("not_enforced", NotEnforced), ("passed_over", PassedOver)):
        values[name] = [_load(cls, item) for item in values.get(name, ())]
    return _load(Isolation, values)


# What is as it came; what may be absent; and what is made when it is asked for, with its default.
_PLAIN = ("exit_code", "signal", "stdout", "stderr", "result", "checks", "policy", "environment", "code_sha256")
_OPTIONAL: Dict[str, Callable[[Any], Any]] = {
    "error": lambda data: _load(ProgramError, data),
    "session": lambda data: _load(SessionStep, data),
}
_NESTED: Dict[str, Tuple[Callable[[Any], Any], Callable[[], Any]]] = {
    "truncated": (lambda data: _load(Truncated, data), Truncated),
    "displays": (lambda items: [Display(dict(item)) for item in items], list),
    "files": (_each(OutputFile), list),
    "denials": (_each(Denial), list),
    "redactions": (_each(Redaction), list),
    "findings": (_each(Finding), list),
    "usage": (lambda data: _load(Usage, data), Usage),
    "timings": (_each(Timing), list),
    "isolation": (_isolation, Isolation),
}
