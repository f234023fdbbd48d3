"""One byte form for everything that is hashed or signed (a subset of RFC 8785).

Only objects with text keys, arrays, texts, whole numbers, true, false and null are
allowed, so that every JSON library of every language writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

Json = dict[str, Any]

DEEPEST = 32
"""Objects and arrays in one another; what posctl writes has at most eight."""

LARGEST_NUMBER = 2**53 - 1
"""Whole numbers that JavaScript, too, holds exactly (RFC 7493, section 2.2)."""


_PLAIN = (str, bool, type(None))


def _check(value: object, depth: int = 0) -> bool:
    """Whether all keys are ASCII, so that every order of them is the same.

    Raises:
        TypeError, ValueError: as ``canonical``.
    """
    if isinstance(value, _PLAIN):
        return True
    if isinstance(value, int):
        if abs(value) > LARGEST_NUMBER:
            raise ValueError("a number of signed data is too large: use text")
        return True
    if isinstance(value, float):
        raise TypeError("no floats in signed data: use text")
    if depth == DEEPEST:
        raise ValueError("signed data is nested too deeply")
    if isinstance(value, dict):
        parts = [_check(item, depth + 1) for item in value.values()]
        return all([_is_ascii(key) for key in value]) and all(parts)
    if isinstance(value, list | tuple):
        return all([_check(item, depth + 1) for item in value])
    return True  # json refuses what it does not know


def _is_ascii(key: object) -> bool:
    if not isinstance(key, str):
        raise TypeError("keys of signed data are text")
    return key.isascii()


def _ordered(value: object) -> object:
    """The same value, keys in the order of RFC 8785, section 3.2.3: by UTF-16 code
    units, which differs from Python's above U+FFFF."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: str(key).encode("utf-16-be"))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value


def canonical(value: object) -> bytes:
    """UTF-8 JSON, keys sorted, no blanks.

    Raises:
        TypeError: a float, a key that is not text, or a type JSON does not know.
        ValueError: a number above ``LARGEST_NUMBER``, deeper than ``DEEPEST``, or a
            lone surrogate.
    """
    sort = _check(value)
    text = json.dumps(
        value if sort else _ordered(value),
        sort_keys=sort,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return text.encode()


def from_canonical(raw: bytes) -> Any:
    """The value whose only spelling ``raw`` is.

    Raises:
        ValueError: it is none, for any of the reasons of ``canonical``.
    """
    try:
        value = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not is_canonical(value, raw):
        raise ValueError("not in canonical form")
    return value


def is_canonical(value: object, raw: bytes) -> bool:
    """Whether ``raw``, of which ``value`` was read, is its only spelling.

    It is not where a key occurs twice, or where a reader of another language might
    find another value in it.
    """
    try:
        return canonical(value) == raw
    except (TypeError, ValueError):
        return False


def digest(value: object) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()
