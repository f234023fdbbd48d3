"""BER-TLV as ISO/IEC 7816-4 and EMV Book 3 annex B use it: strict on lengths.

Tags and lengths are definite form only. 00 and FF between objects are padding
(EMV Book 3 B.1); nothing else is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocols.errors import LocalError, RemoteError

_MULTI_BYTE_TAG = 0x1F
_CONSTRUCTED = 0x20
_MORE = 0x80
_LONGEST_TAG = 4
_LONGEST_LENGTH = 3
DEEPEST = 8


@dataclass(frozen=True)
class Tlv:
    """One object: tag number as on the wire (0x5F20), value bytes."""

    tag: int
    value: bytes

    @property
    def constructed(self) -> bool:
        first = self.tag.to_bytes(_LONGEST_TAG, "big").lstrip(b"\0")[:1] or b"\0"
        return bool(first[0] & _CONSTRUCTED)

    def __repr__(self) -> str:
        return f"Tlv({self.tag:X}, {len(self.value)} bytes)"


def _read_tag(data: bytes, at: int, whole: frozenset[int]) -> tuple[int, int]:
    start = at
    tag = data[at]
    at += 1
    if tag & _MULTI_BYTE_TAG != _MULTI_BYTE_TAG:
        return tag, at
    while at < len(data):
        if at - start == _LONGEST_TAG:
            raise RemoteError("tag of more than 4 bytes", position=start)
        byte = data[at]
        at += 1
        tag = tag << 8 | byte
        if not byte & _MORE or tag in whole:
            return tag, at
    raise RemoteError("tag cut short", position=start)


def _read_length(data: bytes, at: int, tag: int) -> tuple[int, int]:
    if at >= len(data):
        raise RemoteError("length missing", position=at, field=f"{tag:X}")
    first = data[at]
    at += 1
    if first < _MORE:
        return first, at
    size = first & 0x7F
    if not 1 <= size <= _LONGEST_LENGTH or at + size > len(data):
        raise RemoteError("length not readable", position=at - 1, field=f"{tag:X}")
    return int.from_bytes(data[at : at + size], "big"), at + size


def read(
    data: bytes, *, padding: bytes = b"\x00\xff", whole: frozenset[int] = frozenset()
) -> list[Tlv]:
    """The objects of one level, in order.

    Args:
        padding: bytes that may stand between objects.
        whole: tags that end there, though their last byte announces more.

    Raises:
        RemoteError: a tag or length that does not fit; with position and tag.
    """
    found: list[Tlv] = []
    at = 0
    while at < len(data):
        if data[at] in padding:
            at += 1
            continue
        tag, at = _read_tag(data, at, whole)
        length, at = _read_length(data, at, tag)
        if at + length > len(data):
            reason = f"{length} bytes announced, {len(data) - at} present"
            raise RemoteError(reason, position=at, field=f"{tag:X}")
        found.append(Tlv(tag, data[at : at + length]))
        at += length
    return found


def walk(data: bytes, depth: int = 0) -> Iterator[Tlv]:
    """Every object, templates before what they hold.

    Raises:
        RemoteError: as ``read``; or templates nested more than 8 deep.
    """
    if depth > DEEPEST:
        raise RemoteError("templates nested more than 8 deep")
    for item in read(data):
        yield item
        if item.constructed:
            yield from walk(item.value, depth + 1)


def find(data: bytes, tag: int) -> bytes | None:
    """Value of the first object with this tag at any depth, or None."""
    return next((item.value for item in walk(data) if item.tag == tag), None)


def write(tag: int, value: bytes) -> bytes:
    """One object, shortest length form.

    Raises:
        LocalError: value of 16 MiB or more.
    """
    name = tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")
    size = len(value)
    if size < _MORE:
        return name + bytes([size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    if len(length) > _LONGEST_LENGTH:
        raise LocalError("value too long for a TLV object")
    return name + bytes([_MORE | len(length)]) + length + value
