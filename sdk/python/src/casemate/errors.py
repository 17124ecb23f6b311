"""What the SDK raises.

A program that fails, runs into a limit or is refused raises nothing: that is its result. `CasemateError` and its
kinds mean that Casemate itself could not do what it was asked; `RunError` comes from `Result.raise_for_status()` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

if TYPE_CHECKING:
    from .results import Result

__all__ = [
    "CasemateError",
    "ConnectionFailed",
    "ConnectionLost",
    "EngineFailed",
    "EngineStartError",
    "NotFound",
    "RequestRefused",
    "RunError",
    "TooBusy",
    "Unauthorized",
]


class CasemateError(Exception):
    """Casemate itself could not do what it was asked. `may_have_run` is False where no program has begun."""

    may_have_run = False


class EngineStartError(CasemateError):
    """The embedded engine did not start; its own words are in the message."""


class ConnectionFailed(CasemateError):
    """The engine could not be reached, so that nothing has run."""


class ConnectionLost(CasemateError):
    """The engine went away, or said what cannot be understood, while a request was under way."""

    may_have_run = True


class RequestRefused(CasemateError):
    """The engine answered with an HTTP error: `status`, its short `code`, and the whole answer as `problem`."""

    def __init__(self, status: int, code: str, message: str, problem: Mapping[str, Any],
                 retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.problem = dict(problem)
        self.retry_after = retry_after


class Unauthorized(RequestRefused):
    """401 or 403: no key, a wrong one, or one without the scope that this needs."""


class NotFound(RequestRefused):
    """404: there is no such session, file or checkpoint (any more)."""


class TooBusy(RequestRefused):
    """429 or 503: try again after `retry_after` seconds, where that is set."""


class EngineFailed(CasemateError):
    """A run ended with the status `failed`: Casemate's own fault. What there is of a result is in `result`."""

    may_have_run = True

    def __init__(self, result: Result) -> None:
        super().__init__(result.summary())
        self.result = result


class RunError(Exception):
    """A run whose status is not `ok`, as `Result.raise_for_status()` raises it; all about it is in `result`."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.summary())
        self.result = result

    @property
    def status(self) -> str:
        """The run's status, such as "error" or "timeout"."""
        return self.result.status
