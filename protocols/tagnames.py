"""What the objects of payment cards are called (EMV Book 3, annex A; PBOC 3.0 part 5),
and a reading of TLV data that shows none of what must not be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from protocols import tlv
from protocols.carddata import UNIONPAY_RID
from protocols.dol import read_dol
from protocols.errors import RemoteError
from protocols.sensitive import mask, masked_text

NAMES = {
    0x42: "issuer identification number",
    0x4F: "application identifier (AID)",
    0x50: "application label",
    0x56: "track 1 data",
    0x57: "track 2 equivalent data",
    0x5A: "application PAN",
    0x5F20: "cardholder name",
    0x5F24: "application expiration date",
    0x5F25: "application effective date",
    0x5F28: "issuer country code",
    0x5F2A: "transaction currency code",
    0x5F2D: "language preference",
    0x5F30: "service code",
    0x5F34: "PAN sequence number",
    0x5F50: "issuer URL",
    0x61: "application template",
    0x6F: "FCI template",
    0x70: "record template",
    0x77: "response message template, format 2",
    0x80: "response message template, format 1",
    0x82: "application interchange profile (AIP)",
    0x83: "command template",
    0x84: "DF name",
    0x87: "application priority indicator",
    0x88: "short file identifier (SFI)",
    0x8C: "CDOL1",
    0x8D: "CDOL2",
    0x8E: "CVM list",
    0x8F: "CA public key index",
    0x90: "issuer public key certificate",
    0x92: "issuer public key remainder",
    0x93: "signed static application data",
    0x94: "application file locator (AFL)",
    0x95: "terminal verification results",
    0x9A: "transaction date",
    0x9C: "transaction type",
    0x9D: "directory definition file name",
    0x9F02: "amount, authorised",
    0x9F03: "amount, other",
    0x9F05: "application discretionary data",
    0x9F07: "application usage control",
    0x9F08: "application version number, card",
    0x9F09: "application version number, terminal",
    0x9F0B: "cardholder name, extended",
    0x9F0D: "issuer action code, default",
    0x9F0E: "issuer action code, denial",
    0x9F0F: "issuer action code, online",
    0x9F10: "issuer application data",
    0x9F11: "issuer code table index",
    0x9F12: "application preferred name",
    0x9F13: "last online ATC register",
    0x9F14: "lower consecutive offline limit",
    0x9F17: "PIN try counter",
    0x9F19: "token requestor ID",
    0x9F1A: "terminal country code",
    0x9F1F: "track 1 discretionary data",
    0x9F20: "track 2 discretionary data",
    0x9F23: "upper consecutive offline limit",
    0x9F24: "payment account reference",
    0x9F25: "last four digits of the PAN",
    0x9F26: "application cryptogram",
    0x9F27: "cryptogram information data",
    0x9F32: "issuer public key exponent",
    0x9F33: "terminal capabilities",
    0x9F35: "terminal type",
    0x9F36: "application transaction counter (ATC)",
    0x9F37: "unpredictable number",
    0x9F38: "PDOL",
    0x9F42: "application currency code",
    0x9F44: "application currency exponent",
    0x9F46: "ICC public key certificate",
    0x9F47: "ICC public key exponent",
    0x9F48: "ICC public key remainder",
    0x9F49: "DDOL",
    0x9F4A: "static data authentication tag list",
    0x9F4B: "signed dynamic application data",
    0x9F4C: "ICC dynamic number",
    0x9F4D: "log entry",
    0x9F4F: "log format",
    0xA5: "FCI proprietary template",
    0xBF0C: "FCI issuer discretionary data",
}
_UNIONPAY = {
    0x9F51: "application currency code (electronic cash)",
    0x9F61: "cardholder's ID number",
    0x9F62: "kind of the cardholder's ID",
    0x9F63: "card product identification",
    0x9F6D: "electronic cash reset threshold",
    0x9F74: "electronic cash issuer authorisation code",
    0x9F77: "electronic cash balance limit",
    0x9F78: "electronic cash single transaction limit",
    0x9F79: "electronic cash balance",
    0x9F7A: "electronic cash indicator",
}
"""Of UnionPay's applications: elsewhere some of these are something else."""

_PAN, _TRACK_2 = 0x5A, 0x57
_HIDDEN = frozenset(
    {0x56, 0x9F05, 0x9F1F, 0x9F20, 0x9F24, 0x9F61, 0x9F62, 0x9F6B, 0x5F24, 0x5F30}
)
"""Track data, what is like it or stands for the number, ID numbers: only their length
is shown. 9F61 to 9F6B are card verification data on cards of other schemes."""
_TEXTS = frozenset({0x50, 0x5F20, 0x5F2D, 0x5F50, 0x9F0B, 0x9F12})


@dataclass(frozen=True)
class Shown:
    """One object: how deep, tag in hexadecimal, name, bytes of value, and what of it
    may be shown."""

    depth: int
    tag: str
    name: str
    length: int
    value: str


def explain(data: bytes, *, aid: str = "") -> list[Shown]:
    """Every object, templates before what they hold.

    Args:
        aid: of the application, where it is known, in hexadecimal; otherwise an AID
            in the data tells whose names count.

    Raises:
        RemoteError: no TLV data; with position and tag.
    """
    found = tlv.find(data, 0x4F) or tlv.find(data, 0x84) or b""
    known = aid or found.hex().upper()
    names = {**NAMES, **(_UNIONPAY if known.startswith(UNIONPAY_RID) else {})}
    return list(_level(data, 0, names))


def _level(data: bytes, depth: int, names: dict[int, str]) -> Iterator[Shown]:
    if depth > tlv.DEEPEST:
        raise RemoteError(f"templates nested more than {tlv.DEEPEST} deep")
    for item in tlv.read(data):
        name = names.get(item.tag, "")
        value = "" if item.constructed else _value(item)
        yield Shown(depth, f"{item.tag:X}", name, len(item.value), value)
        if item.constructed:
            yield from _level(item.value, depth + 1, names)


def _value(item: tlv.Tlv) -> str:
    digits = item.value.hex().upper()
    if item.tag == _PAN:
        return mask(digits.rstrip("F"))
    if item.tag == _TRACK_2:
        number, separator, _rest = digits.partition("D")
        return f"{mask(number)} …" if separator else "…"
    if item.tag in _HIDDEN:
        return "…"
    if item.tag in _TEXTS:
        text = item.value.rstrip(b"\0 ").decode("gb18030", "replace")
        return masked_text("".join(c for c in text if c.isprintable()))
    if len(item.value) < _SHORTEST_NUMBER or _is_plain(item, digits):
        return digits
    return _TRACK.sub(r"\1D…", masked_text(digits))


def _is_plain(item: tlv.Tlv, digits: str) -> bool:
    """Of a form in which no number can hide: an AID of the usual length, a list of tags
    that are known, a locator of records."""
    if item.tag in (0x4F, 0x84, 0x9D):
        return digits.startswith("A0") and len(item.value) <= _USUAL_AID
    if item.tag in (0x8C, 0x8D, 0x9F38, 0x9F49, 0x9F4F):
        return _is_list(item.value)
    return item.tag == 0x94 and all(not sfi & 7 for sfi in item.value[::4])


def _is_list(value: bytes) -> bool:
    try:
        return all(tag in NAMES or tag in _UNIONPAY for tag, _size in read_dol(value))
    except RemoteError:
        return False


_SHORTEST_NUMBER = 7
"""Bytes that 13 digits take."""
_USUAL_AID = 8
_TRACK = re.compile(r"([0-9*]{12,19})D[0-9A-F*]+")
"""What stands after a number's separator is as good as a card verification value."""
