"""What an HTTP answer means, for both kinds of client."""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Type

from ._http import header_number
from .errors import ConnectionLost, EngineFailed, NotFound, RequestRefused, TooBusy, Unauthorized
from .results import Result

__all__ = ["json_of", "raise_refusal", "result_of"]

_KINDS: Dict[int, Type[RequestRefused]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    429: TooBusy,
    503: TooBusy,
}


def raise_refusal(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raises the error that an answer which is none of 2xx tells (problem+json, RFC 9457)."""
    if 200 <= status < 300:
        return
    try:
        problem = json.loads(body)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    nested = problem.get("error")
    told: Mapping[str, Any] = nested if isinstance(nested, dict) else problem
    code = str(told.get("code") or told.get("type") or status)
    message = str(told.get("message") or told.get("detail") or told.get("title") or f"the engine answered {status}")
    kind = _KINDS.get(status, RequestRefused)
    raise kind(status, code, message, problem, header_number(headers.get("retry-after")))


def json_of(body: bytes) -> Dict[str, Any]:
    """The object of an answer."""
    try:
        value = json.loads(body.decode("utf-8"))  # of bytes it would first ask which encoding they have
    except ValueError as error:
        raise ConnectionLost(f"the engine's answer is not JSON: {body[:80]!r}") from error
    if not isinstance(value, dict):
        raise ConnectionLost(f"the engine's answer is no object: {body[:80]!r}")
    return value


def result_of(body: bytes) -> Result:
    """The result that an answer holds. Raises EngineFailed for Casemate's own fault."""
    return checked(read_result(body))


def read_result(body: bytes) -> Result:
    """The same, whatever its status."""
    data = json_of(body)
    if "id" not in data or "status" not in data:
        raise ConnectionLost(f"the engine's answer is no result: {body[:80]!r}")
    return Result.from_json(data)


def checked(result: Result) -> Result:
    if result.status == "failed":
        raise EngineFailed(result)
    return result
