"""Data object lists: which objects a card wants to be sent, and how long (EMV Book 3,
5.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from protocols.errors import RemoteError

_NUMERIC = frozenset({0x9A, 0x9C, 0x9F02, 0x9F03, 0x9F1A, 0x5F2A, 0x9F21, 0x9F35})


def read_dol(dol: bytes) -> Iterator[tuple[int, int]]:
    """Tags and lengths of a data object list (EMV Book 3, 5.4).

    Raises:
        RemoteError: the list ends within an entry.
    """
    at = 0
    while at < len(dol):
        end = at + 1
        if dol[at] & 0x1F == 0x1F:
            while end < len(dol) and dol[end] & 0x80:
                end += 1
            end += 1
        if end >= len(dol):
            raise RemoteError("data object list cut short", position=at)
        yield int.from_bytes(dol[at:end], "big"), dol[end]
        at = end + 1


def fill_dol(dol: bytes, values: Mapping[int, bytes]) -> bytes:
    """The data that a data object list asks for (EMV Book 3, 5.4).

    Numbers are cut and padded on the left, all else on the right; what is not in
    ``values`` is zeros.

    Raises:
        RemoteError: the list cannot be read, or asks for more than 252 bytes.
    """
    filled = b""
    for tag, size in read_dol(dol):
        value = values.get(tag, b"")
        if tag in _NUMERIC:
            filled += value.rjust(size, b"\0")[max(len(value) - size, 0) :]
        else:
            filled += value[:size].ljust(size, b"\0")
    if len(filled) > 252:
        raise RemoteError("the PDOL asks for more than a command can hold")
    return filled
