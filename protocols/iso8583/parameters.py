"""What stands inside F60, F48 and F62: management codes, totals, parameter lists.

A parameter list is a row of items: number (2 ASCII digits), value. Values have the
length that their number fixes, or 3 ASCII digits of length before them. Numbers and
lengths differ among acquirers; these are the emulated host's.

**Number 98, the posctl binding tag, is OURS.** No acquirer sends it: no public
message carries a settlement account. Its value is the TLV of protocols.bindingtag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protocols.errors import LocalError, RemoteError

SIGN_IN_SINGLE, SIGN_OFF, SIGN_IN_DOUBLE, SIGN_IN_TRACK = "001", "002", "003", "004"
SETTLE, ECHO = "201", "301"
UPDATE = "101"
"""The host tells a terminal its TID and MID by its serial number."""
PAYMENT = "000"
"""Of messages that are no network management: sale and reversal."""
UPLOAD, UPLOAD_END_UNBALANCED, UPLOAD_END_BALANCED = "201", "202", "207"
"""Batch upload (0320): magnetic records, then its end."""
DOWNLOAD, DOWNLOAD_END = "360", "361"
STATUS = "362"
TMS, TMS_END = "364", "365"
CA_KEY, CA_KEY_END, CA_KEY_LIST = "370", "371", "372"
CHIP, CHIP_END, CHIP_LIST = "380", "381", "382"
SIGN_IN = frozenset({SIGN_IN_SINGLE, SIGN_IN_DOUBLE, SIGN_IN_TRACK})

TRANSACTION_TYPES, MERCHANT_NAME = "11", "12"
TELEPHONES = ("13", "14", "15")
MASTER_KEY_INDEX = "25"
BINDING_TAG = "98"  # ours, see above

_SIZES: dict[str, int | None] = {
    TRANSACTION_TYPES: 4,
    MERCHANT_NAME: 40,
    **dict.fromkeys(TELEPHONES, 14),
    MASTER_KEY_INDEX: 1,
    BINDING_TAG: None,
}


@dataclass(frozen=True)
class Management:
    """F60: type n2, batch n6, network management code n3, whatever follows."""

    code: str
    batch: int = 0
    kind: str = "00"
    rest: str = ""

    @property
    def read_capability(self) -> str:
        """60.4, n1: what the terminal reads cards with. Empty when absent."""
        return self.rest[:1]

    @property
    def chip_condition(self) -> str:
        """60.5, n1: why a chip card's magnetic stripe was read. Empty when absent."""
        return self.rest[1:2]

    def to_text(self) -> str:
        return f"{self.kind}{self.batch:06}{self.code}{self.rest}"

    @classmethod
    def from_text(cls, text: str) -> Management:
        """Raises RemoteError when shorter than 11 digits, or not of digits."""
        _digits(text, 11, "F60")
        return cls(text[8:11], int(text[2:8]), text[:2], text[11:])


def _digits(text: str, least: int, name: str) -> None:
    if len(text) < least:
        raise RemoteError(f"{len(text)} digits, {least} expected", field=name)
    if not (text.isascii() and text.isdigit()):
        raise RemoteError("digits expected", field=name)


_SIDE = 30
BALANCED, UNBALANCED = "1", "2"
"""What the host made of the totals; 0 in the request."""


@dataclass(frozen=True)
class Totals:
    """F48 of a settlement, domestic half: debits and credits, amounts in fen."""

    debit_amount: int = 0
    debit_count: int = 0
    credit_amount: int = 0
    credit_count: int = 0
    result: str = "0"

    def to_text(self) -> str:
        """62 digits: the domestic side and its result, then an empty foreign one."""
        debit = f"{self.debit_amount:012}{self.debit_count:03}"
        credit = f"{self.credit_amount:012}{self.credit_count:03}"
        return debit + credit + self.result + "0" * (_SIDE + 1)

    @classmethod
    def from_text(cls, text: str) -> Totals:
        """Raises RemoteError when shorter than 31 digits, or not of digits."""
        _digits(text, _SIDE + 1, "F48")
        return cls(
            debit_amount=int(text[:12]),
            debit_count=int(text[12:15]),
            credit_amount=int(text[15:27]),
            credit_count=int(text[27:30]),
            result=text[_SIDE],
        )


def write_list(items: Mapping[str, bytes]) -> bytes:
    """F62 of a parameter download.

    Raises:
        LocalError: a number that the table lacks, or a value too long for it.
    """
    return b"".join(_write_item(number, value) for number, value in items.items())


def _write_item(number: str, value: bytes) -> bytes:
    size = _SIZES.get(number, -1)
    if size is None:
        if len(value) > 999:
            raise LocalError(f"parameter {number}: more than 999 bytes")
        return f"{number}{len(value):03}".encode() + value
    if len(value) > size:
        raise LocalError(f"parameter {number}: unknown, or value too long")
    return number.encode() + value.ljust(size)


def read_list(data: bytes) -> dict[str, bytes]:
    """Parameters of an F62; fixed values lose their trailing spaces.

    Raises:
        RemoteError: unknown number (its length cannot be known), or cut short.
    """
    found: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        number = data[at : at + 2].decode("ascii", "replace")
        if number not in _SIZES:
            raise RemoteError("unknown parameter number", position=at, field="F62")
        start, size = _extent(data, at + 2, number)
        if start + size > len(data):
            raise RemoteError("value cut short", position=start, field=f"F62.{number}")
        value = data[start : start + size]
        found[number] = value if _SIZES[number] is None else value.rstrip(b" ")
        at = start + size
    return found


def _extent(data: bytes, at: int, number: str) -> tuple[int, int]:
    fixed = _SIZES[number]
    if fixed is not None:
        return at, fixed
    digits = data[at : at + 3]
    if len(digits) < 3 or not digits.isdigit():
        raise RemoteError("length not readable", position=at, field=f"F62.{number}")
    return at + 3, int(digits)
