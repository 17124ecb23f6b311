"""Sizes and times as people write them; the rules of the command line (src/policy/units.h)."""

from __future__ import annotations

import re
from typing import Union

__all__ = ["Duration", "Size", "milliseconds", "size_bytes"]

Size = Union[int, str]
Duration = Union[int, float, str]

_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([kmgt]?)(?:i?b)?", re.IGNORECASE)
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|h|m|s)")
_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def size_bytes(value: Size) -> int:
    """Bytes of 1048576, "128m", "1.5g"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{value!r} is not a size; write bytes, or a number with k, m, g or t, like "128m"')
    power = " kmgt".index(match[2].lower()) if match[2] else 0
    return round(float(match[1]) * float(1024**power))


def milliseconds(value: Duration) -> int:
    """Milliseconds of 10 (seconds), 0.5, "10s", "1m30s", "500ms"."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return round(value * 1000)
    if isinstance(value, str):
        if re.fullmatch(r"\d+(\.\d*)?|\.\d+", value):
            return round(float(value) * 1000)
        parts = _PART.findall(value)
        if parts and "".join(number + unit for number, unit in parts) == value:
            return round(sum(float(number) * _MS[unit] for number, unit in parts))
    raise ValueError(f'{value!r} is not a duration; write seconds, or numbers with h, m, s or ms, like "1m30s"')
