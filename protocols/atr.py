"""What a card says of itself when it gets power: the answer to reset (ISO/IEC 7816-3,
8.2), and the one that readers make up for contactless cards (PC/SC part 3, 3.1.3.2.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from protocols.errors import RemoteError

_CONVENTIONS = {0x3B: "direct", 0x3F: "inverse"}
_LONGEST = 33
_T0, _MOST_PROTOCOL = 0, 15
_MADE_UP = bytes.fromhex("8001")
"""TD1 and TD2 of the ATR that a reader makes up for a card on its antenna."""


@dataclass(frozen=True)
class Atr:
    """``interface`` by name, as in ``TA1``; ``check`` None where T=0 alone is named
    (no T=15 either), which has no check byte, else whether it is right."""

    convention: str
    protocols: tuple[int, ...]
    interface: dict[str, int]
    historical: bytes
    check: bool | None


def is_contactless(raw: bytes) -> bool:
    """Whether a reader made it up for a card on its antenna. Looks at no more than it
    must: what is contactless and spoilt must not be taken for a card with contacts."""
    return len(raw) > 4 and raw[1] & 0xF0 == 0x80 and raw[2:4] == _MADE_UP


def read_atr(raw: bytes) -> Atr:
    """
    Raises:
        RemoteError: not as long as it says, or of no known convention.
    """
    if not 2 <= len(raw) <= _LONGEST:
        raise RemoteError(f"an ATR has 2 to {_LONGEST} bytes", position=len(raw))
    convention = _CONVENTIONS.get(raw[0])
    if convention is None:
        raise RemoteError("an ATR begins with 3B or 3F", position=0)
    interface, protocols, at = _interface(raw)
    end = at + (raw[1] & 0x0F)
    with_check = any(
        value & 0x0F != _T0 for name, value in interface.items() if name[1] == "D"
    )
    if len(raw) != end + with_check:
        expected = end + with_check
        raise RemoteError(f"{expected} bytes expected, {len(raw)} present", position=at)
    check = reduce(xor, raw[1:]) == 0 if with_check else None
    return Atr(convention, protocols, interface, raw[at:end], check)


def _interface(raw: bytes) -> tuple[dict[str, int], tuple[int, ...], int]:
    """The interface bytes, the protocols they offer, and where the historical bytes
    begin. T=0 is offered where nothing is said."""
    found: dict[str, int] = {}
    protocols: list[int] = []
    at, follow, group = 2, raw[1] >> 4, 1
    while follow:
        for bit, letter in enumerate("ABCD"):
            if not follow & 1 << bit:
                continue
            if at >= len(raw):
                raise RemoteError("interface bytes cut short", position=at)
            found[f"T{letter}{group}"] = raw[at]
            at += 1
        last = found.get(f"TD{group}")
        if last is None:
            break
        if (protocol := last & 0x0F) not in (*protocols, _MOST_PROTOCOL):
            protocols.append(protocol)
        follow, group = last >> 4, group + 1
    return found, tuple(protocols) or (_T0,), at
