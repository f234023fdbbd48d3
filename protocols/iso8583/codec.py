"""Pack and unpack by the table: frame, TPDU, header, MTI, bitmap, fields.

Frame: 2-byte big-endian length of the rest | TPDU 5 | header 6 | MTI 2 BCD | bitmap
8 or 16 | fields. Strict unless told otherwise: whatever unpacks packs to the same bytes
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import lru_cache
from typing import Literal, overload

from protocols.errors import LocalError, RemoteError
from protocols.iso8583.coders import (
    CODERS,
    UNKNOWN,
    Misfit,
    Padding,
    Read,
    Write,
)
from protocols.iso8583.coders import (
    Value as Value,
)

TPDU_SIZE = 5
HEADER_SIZE = 6
_PREAMBLE = TPDU_SIZE + HEADER_SIZE
_BODY_LEAST = 2 + 8
_DIGITS = frozenset("0123456789")


class ProcessingRequest(IntEnum):
    """What the host asks the terminal to do after this answer: header, fourth part."""

    NONE = 0
    MAGNETIC_PARAMETERS = 1
    UPLOAD_STATUS = 2
    SIGN_IN_AGAIN = 3
    CA_KEYS = 4
    CHIP_PARAMETERS = 5
    TMS_PARAMETERS = 6
    BLACK_LIST = 7
    RATES = 8
    CONTACTLESS_PARAMETERS = 9


_REQUESTS = frozenset(ProcessingRequest)


@dataclass(frozen=True)
class Header:
    """The 6 bytes before the MTI."""

    application: str = "60"
    software: str = "31"
    state: int = 0
    request: ProcessingRequest = ProcessingRequest.NONE
    reserved: str = "310100"

    def to_bytes(self) -> bytes:
        """Raises LocalError when the parts are not 12 digits together."""
        digits = f"{self.application}{self.software}{self.state}{self.request:d}"
        digits += self.reserved
        if len(digits) != 2 * HEADER_SIZE or not _DIGITS.issuperset(digits):
            raise LocalError("header: 12 digits expected")
        return bytes.fromhex(digits)

    @classmethod
    def from_bytes(cls, data: bytes) -> Header:
        digits = data.hex()
        if not _DIGITS.issuperset(digits):
            raise RemoteError("header is not BCD", position=TPDU_SIZE)
        state, request = int(digits[4]), ProcessingRequest(int(digits[5]))
        return cls(digits[:2], digits[2:4], state, request, digits[6:])


@dataclass(frozen=True)
class Message:
    """One message. ``body`` holds the received bytes from the MTI on, for the MAC.

    ``repr`` shows field numbers only: values may be a PAN or keys.
    """

    mti: str
    fields: Mapping[int, Value] = field(repr=False)
    tpdu: bytes = bytes.fromhex("6000030000")
    header: Header = Header()
    body: bytes = field(default=b"", repr=False, compare=False)

    def text(self, number: int) -> str:
        """A field of digits or text. Raises RemoteError when it is absent."""
        value = self.fields.get(number)
        if not isinstance(value, str):
            raise RemoteError("field missing", field=f"F{number}")
        return value

    def data(self, number: int) -> bytes:
        """A field of bytes. Raises RemoteError when it is absent."""
        value = self.fields.get(number)
        if not isinstance(value, bytes):
            raise RemoteError("field missing", field=f"F{number}")
        return value

    def answer(self, fields: Mapping[int, Value], request: int = 0) -> Message:
        """The answer's shape: MTI + 10, TPDU addresses swapped.

        Raises:
            LocalError: a processing request that is none of the ten.
        """
        if request not in _REQUESTS:
            raise LocalError(f"processing request {request}: 0 to 9 expected")
        tpdu = self.tpdu[:1] + self.tpdu[3:5] + self.tpdu[1:3]
        header = replace(self.header, request=ProcessingRequest(request))
        return Message(f"{int(self.mti) + 10:04}", fields, tpdu, header)

    def to_bytes(self) -> bytes:
        """TPDU to the last field, without the length. Raises LocalError."""
        return self.tpdu + self.header.to_bytes() + pack(self.mti, self.fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        """The other way. Raises RemoteError with field and position in ``data``."""
        if len(data) < _PREAMBLE + _BODY_LEAST:
            raise RemoteError("message cut short", position=len(data))
        header = Header.from_bytes(data[TPDU_SIZE:_PREAMBLE])
        body = data[_PREAMBLE:]
        fields: dict[int, Value] = {}
        mti = _unpack(body, _PREAMBLE, fields)
        return cls(mti, fields, data[:TPDU_SIZE], header, body)


def pack(mti: str, fields: Mapping[int, Value]) -> bytes:
    """MTI, bitmap, fields.

    Raises:
        LocalError: a field that the table lacks or whose value does not fit.
    """
    if len(mti) != 4 or not (mti.isdigit() and mti.isascii()):
        raise LocalError("MTI: 4 digits expected")
    bitmap, writers = _writers(tuple(fields))
    parts = [bytes.fromhex(mti), bitmap]
    for number, write in writers:
        try:
            parts.append(write(fields[number]))
        except Misfit as error:
            raise LocalError(f"F{number}: {error}") from None
    return b"".join(parts)


# Messages of one kind have one set of fields: what follows from it is kept.
@lru_cache(maxsize=256)
def _writers(numbers: tuple[int, ...]) -> tuple[bytes, tuple[tuple[int, Write], ...]]:
    coders = [(number, CODERS.get(number, UNKNOWN)) for number in sorted(numbers)]
    bits = sum(1 << (128 - number) for number in numbers if number in CODERS)
    wide = max(numbers, default=0) > 64
    bitmap = (bits | int(wide) << 127).to_bytes(16, "big")[: 16 if wide else 8]
    return bitmap, tuple((number, coder.write) for number, coder in coders)


@lru_cache(maxsize=256)
def _readers(bitmap: bytes) -> tuple[tuple[int, Read], ...]:
    bits, top = int.from_bytes(bitmap, "big"), len(bitmap) * 8
    numbers = [n for n in range(2, top + 1) if bits >> (top - n) & 1]
    return tuple((number, CODERS.get(number, UNKNOWN).read) for number in numbers)


@dataclass(frozen=True)
class Reading:
    """What lenient unpacking made of a body; ``repr`` and errors show no value.

    ``mti`` is empty when it was unreadable. ``notes`` say what was tolerated: padding
    that is not zero. ``error`` says why and where reading stopped, None when it did
    not; the fields before it are kept.
    """

    mti: str
    fields: Mapping[int, Value] = field(repr=False)
    notes: tuple[RemoteError, ...] = ()
    error: RemoteError | None = None


@overload
def unpack(
    body: bytes, strict: Literal[True] = True
) -> tuple[str, dict[int, Value]]: ...
@overload
def unpack(body: bytes, strict: Literal[False]) -> Reading: ...
def unpack(body: bytes, strict: bool = True) -> tuple[str, dict[int, Value]] | Reading:
    """MTI and fields of a body; or, not strict, as far as it can be read.

    Raises:
        RemoteError: strict only. Cut short, unknown field, wrong coding, bytes left
            over; with the position in ``body`` and the numbers of the fields read.
    """
    if not strict:
        return _unpack_leniently(body)
    fields: dict[int, Value] = {}
    return _unpack(body, 0, fields), fields


def _unpack_leniently(body: bytes) -> Reading:
    fields: dict[int, Value] = {}
    notes: list[RemoteError] = []
    error = None
    try:
        _unpack(body, 0, fields, notes)
    except RemoteError as found:
        error = found
    mti = body[:2].hex()
    known = len(mti) == 4 and mti.isdigit()
    return Reading(mti if known else "", fields, tuple(notes), error)


def _unpack(
    body: bytes,
    offset: int,
    fields: dict[int, Value],
    notes: list[RemoteError] | None = None,
) -> str:
    """Fills ``fields`` and returns the MTI; padding is refused where no notes are."""
    at = _start(body, offset)
    nibbles = body.hex()
    for number, read in _readers(body[2:at]):
        try:
            fields[number], at = read(body, nibbles, at)
        except Misfit as misfit:
            where, name = offset + at, f"F{number}"
            error = RemoteError(str(misfit), position=where, field=name, read=fields)
            if notes is None or not isinstance(misfit, Padding):
                raise error from None
            notes.append(error)
            fields[number], at = misfit.value, misfit.end
    _check_end(body, at, offset, fields)
    return nibbles[:4]


def _start(body: bytes, offset: int) -> int:
    """Where the first field begins, when MTI and bitmap are whole."""
    if len(body) < _BODY_LEAST:
        raise RemoteError("message cut short", position=offset + len(body))
    if not body[:2].hex().isdigit():
        raise RemoteError("MTI is not BCD", position=offset)
    at = 2 + (16 if body[2] & 0x80 else 8)
    if len(body) < at:
        raise RemoteError("bitmap cut short", position=offset + len(body))
    return at


def _check_end(body: bytes, at: int, offset: int, fields: Mapping[int, Value]) -> None:
    if at != len(body):
        left, where = len(body) - at, offset + at
        reason = f"{left} bytes after the last field"
        raise RemoteError(reason, position=where, read=fields)
    if body[2] & 0x80 and max(fields, default=0) <= 64:
        raise RemoteError("second bitmap is empty", position=offset + 2, read=fields)


def frame(payload: bytes) -> bytes:
    """The payload behind its 2-byte length. Raises LocalError over 65,535 bytes."""
    if len(payload) > 0xFFFF:
        raise LocalError("message longer than its length field can say")
    return len(payload).to_bytes(2, "big") + payload


class FrameFeeder:
    """Bytes in, whole payloads out; holds at most ``limit`` bytes of a payload."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Raises RemoteError when a length is over the limit: close the line."""
        self._held += data
        found: list[bytes] = []
        while (payload := self._take()) is not None:
            found.append(payload)
        return found

    def _take(self) -> bytes | None:
        if len(self._held) < 2:
            return None
        size = int.from_bytes(self._held[:2], "big")
        if size > self._limit:
            raise RemoteError(f"length {size}, at most {self._limit} taken", position=0)
        if len(self._held) < 2 + size:
            return None
        payload = bytes(self._held[2 : 2 + size])
        del self._held[: 2 + size]
        return payload
