"""What a checker's signature covers, and how it travels (R30).

The digest has two parts: what the checker is shown, word for word, and a hash of the
rest. So whoever has only the short request can compute the digest from what he sees
himself; nothing else can be signed under it.

A request and its answer are text of at most 400 characters, to be pasted through a
messenger or scanned: a head line, base64url, a check sum, an end line.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass

from posctl.change.order import Order
from posctl.model.canonical import canonical, digest, from_canonical
from posctl.model.errors import CheckFailed

LONGEST = 400
_SHOWN = (
    *("number", "operator", "mid", "tid", "old", "new_mask"),
    *("name_grade", "source", "luhn", "kind", "kind_by", "chip_grade"),
    *("fee", "branch", "valid_until"),
)
_REQUEST, _ANSWER = "REQUEST", "APPROVAL"
_ARMOUR = re.compile(
    r"-----BEGIN POSCTL (REQUEST|APPROVAL)-----\s+([A-Za-z0-9_\-\s]+)=([0-9a-f]{8})"
    r"\s+-----END POSCTL \1-----"
)


@dataclass(frozen=True)
class Request:
    """What a checker elsewhere is shown, and the hash of what he is not."""

    shown: dict[str, str]
    rest: str

    @property
    def number(self) -> str:
        return self.shown["number"]

    @property
    def digest(self) -> str:
        return digest(["posctl approval 5", self.shown, self.rest])


def request_of(order: Order, *, name_grade: str) -> Request:
    """For an order with this grade of name, approved or about to be."""
    texts = {name: str(getattr(order, name, "")) for name in _SHOWN}
    old = order.old_mask or order.provider_mask or "?"
    shown = {**texts, "old": old, "name_grade": name_grade}
    return Request(shown, digest(_rest(order)))


def approval_digest(order: Order, *, name_grade: str | None = None) -> str:
    """What a checker's signature covers: this profile, this change, this fee.

    Args:
        name_grade: before it is part of the order.
    """
    grade = order.name_grade if name_grade is None else name_grade
    return request_of(order, name_grade=grade).digest


def _rest(order: Order) -> list[object]:
    return [
        *(order.profile, order.profile_version, order.profile_sha256),
        *(order.old_version, order.new_hash, order.sealed),
        order.account_type,
        list(order.steps),
        [[item["kind"], item["sha256"]] for item in order.documents],
    ]


# -- armour ----------------------------------------------------------------------


def armoured_request(request: Request) -> str:
    """Text for a messenger. Raises CheckFailed ``armour.long``."""
    values = [request.shown[name] for name in _SHOWN]
    return _armour(_REQUEST, [*values, _short(request.rest)])


def armoured_answer(number: str, name: str, signature: str) -> str:
    """The checker's signature (hexadecimal) over the digest, and who he is."""
    return _armour(_ANSWER, [number, name, _short(signature)])


def read_request(text: str) -> Request:
    """Raises CheckFailed ``armour.unreadable``."""
    parts = _unarmoured(_REQUEST, text, len(_SHOWN) + 1)
    return Request(dict(zip(_SHOWN, parts, strict=False)), _long(parts[-1]))


@dataclass(frozen=True)
class Answer:
    """Of whom, for which order; ``signature`` is hexadecimal."""

    number: str
    name: str
    signature: str


def read_answer(text: str) -> Answer:
    """Raises CheckFailed ``armour.unreadable``."""
    number, name, signature = _unarmoured(_ANSWER, text, 3)
    return Answer(number, name, _long(signature))


def _armour(kind: str, parts: list[str]) -> str:
    packed = zlib.compress(canonical(parts), 9, wbits=-15)
    body = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    text = "\n".join(
        [
            f"-----BEGIN POSCTL {kind}-----",
            *lines,
            f"={zlib.crc32(packed):08x}",
            f"-----END POSCTL {kind}-----",
        ]
    )
    if len(text) > LONGEST:
        raise CheckFailed("armour.long", size=len(text), limit=LONGEST)
    return text


def _unarmoured(kind: str, text: str, count: int) -> list[str]:
    """Messengers add blanks, quotes and lines around; nothing within."""
    found = _ARMOUR.search(text[: 10 * LONGEST])
    if found is None or found[1] != kind:
        raise CheckFailed("armour.unreadable", wanted=kind)
    try:
        body = "".join(found[2].split())
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        plain = zlib.decompressobj(wbits=-15).decompress(packed, 4096)
        parts = from_canonical(plain)
    except (ValueError, binascii.Error, zlib.error):
        raise CheckFailed("armour.unreadable", wanted=kind) from None
    whole = zlib.crc32(packed) == int(found[3], 16)
    texts = isinstance(parts, list) and all(isinstance(p, str) for p in parts)
    if not whole or not texts or len(parts) != count:
        raise CheckFailed("armour.unreadable", wanted=kind)
    return list(parts)


def _short(hexadecimal: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).decode().rstrip("=")


def _long(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    except (ValueError, binascii.Error):
        raise CheckFailed("armour.unreadable", wanted="base64") from None
