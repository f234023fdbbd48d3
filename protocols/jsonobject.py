"""One JSON object from bytes, read strictly: whatever is doubtful is no object."""

from __future__ import annotations

import json
from typing import Any


def read_object(data: bytes) -> dict[str, Any] | None:
    """The object, or None: not UTF-8, not JSON (RFC 8259, so no ``NaN``), no object,
    a name twice, or nested too deeply."""
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
