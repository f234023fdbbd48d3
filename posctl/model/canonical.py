"""One byte form for everything that is hashed or signed (a subset of RFC 8785).

Only objects with text keys, arrays, texts, whole numbers, true, false and null are
allowed, so that every JSON library of every language writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

Json = dict[str, Any]


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("no floats in signed data: use text")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("keys of signed data are text")
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def canonical(value: object) -> bytes:
    """UTF-8 JSON, keys sorted, no blanks.

    Raises:
        TypeError: a float, a key that is not text, or a type JSON does not know.
    """
    _refuse_floats(value)
    text = json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text.encode()


def digest(value: object) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()
