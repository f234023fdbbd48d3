"""Pack and unpack by the table: frame, TPDU, header, MTI, bitmap, fields.

Frame: 2-byte big-endian length of the rest | TPDU 5 | header 6 | MTI 2 BCD | bitmap
8 or 16 | fields. Strict both ways: whatever unpacks packs to the same bytes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from protocols.errors import LocalError, RemoteError
from protocols.iso8583.spec import UNIONPAY_POS, Coding, Field

Value = str | bytes

TPDU_SIZE = 5
HEADER_SIZE = 6
_PREAMBLE = TPDU_SIZE + HEADER_SIZE
_BODY_LEAST = 2 + 8
_PADDED_RIGHT = frozenset({Coding.NL, Coding.Z})
_TEXT = {Coding.A: "ascii", Coding.G: "gbk"}
_TO_NIBBLES = str.maketrans("=", "D")
_DIGITS = frozenset("0123456789")
_ALPHABET = {Coding.Z: _DIGITS | {"D"}}


class _Misfit(ValueError):
    """A value that its field cannot hold; the words become the error's reason."""


@dataclass(frozen=True)
class _Coder:
    """One field's two directions, made once from the table."""

    write: Callable[[Value], bytes]
    read: Callable[[bytes, int], tuple[Value, int]]


def _write_digits(spec: Field) -> Callable[[Value], tuple[int, bytes]]:
    right = spec.coding in _PADDED_RIGHT or spec.prefix > 0
    allowed = _ALPHABET.get(spec.coding, _DIGITS)

    def write(value: Value) -> tuple[int, bytes]:
        if not isinstance(value, str):
            raise _Misfit("digits expected, not bytes")
        digits = value.translate(_TO_NIBBLES)
        if not allowed.issuperset(digits):
            raise _Misfit("digits expected")
        count = len(digits)
        if count % 2:
            digits = digits + "0" if right else "0" + digits
        return count, bytes.fromhex(digits)

    return write


def _read_digits(spec: Field) -> Callable[[bytes, int], Value]:
    right = spec.coding in _PADDED_RIGHT or spec.prefix > 0
    allowed = _ALPHABET.get(spec.coding, _DIGITS)

    def read(data: bytes, count: int) -> Value:
        digits = data.hex().upper()
        if count % 2:
            pad = digits[-1] if right else digits[0]
            digits = digits[:-1] if right else digits[1:]
            if pad != "0":
                raise _Misfit("padding is not zero")
        if not allowed.issuperset(digits):
            raise _Misfit("a nibble that is no digit")
        return digits

    return read


def _write_text(spec: Field) -> Callable[[Value], tuple[int, bytes]]:
    encoding = _TEXT[spec.coding]

    def write(value: Value) -> tuple[int, bytes]:
        if not isinstance(value, str):
            raise _Misfit("text expected, not bytes")
        try:
            data = value.encode(encoding)
        except UnicodeEncodeError:
            raise _Misfit(f"text that {encoding} cannot hold") from None
        if not spec.prefix and spec.coding is Coding.G:
            data = data.ljust(spec.size)
        return len(data), data

    return write


def _read_text(spec: Field) -> Callable[[bytes, int], Value]:
    encoding = _TEXT[spec.coding]

    def read(data: bytes, count: int) -> Value:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            raise _Misfit(f"text that is not {encoding}") from None
        return text.rstrip(" ") if spec.coding is Coding.G and not spec.prefix else text

    return read


def _write_bytes(value: Value) -> tuple[int, bytes]:
    if not isinstance(value, bytes):
        raise _Misfit("bytes expected, not text")
    return len(value), value


def _bytes_of(coding: Coding, count: int) -> int:
    digits = coding in (Coding.N, Coding.NL, Coding.Z)
    return (count + 1) // 2 if digits else count


def _compile(spec: Field) -> _Coder:
    if spec.coding in _TEXT:
        encode, decode = _write_text(spec), _read_text(spec)
    elif spec.coding is Coding.B:
        encode, decode = _write_bytes, lambda data, count: data
    else:
        encode, decode = _write_digits(spec), _read_digits(spec)

    def write(value: Value) -> bytes:
        count, data = encode(value)
        if count > spec.size or (not spec.prefix and count != spec.size):
            raise _Misfit(f"length {count}, {spec.size} allowed")
        head = f"{count:0{2 * spec.prefix}}" if spec.prefix else ""
        return bytes.fromhex(head) + data

    def read(body: bytes, at: int) -> tuple[Value, int]:
        count = _count(body, at, spec) if spec.prefix else spec.size
        start = at + spec.prefix
        end = start + _bytes_of(spec.coding, count)
        if end > len(body):
            raise _Misfit(f"{end - len(body)} bytes missing")
        return decode(body[start:end], count), end

    return _Coder(write, read)


def _count(body: bytes, at: int, spec: Field) -> int:
    digits = body[at : at + spec.prefix].hex()
    if len(digits) < 2 * spec.prefix or not _DIGITS.issuperset(digits):
        raise _Misfit("length not readable")
    if int(digits) > spec.size:
        raise _Misfit(f"length {int(digits)}, at most {spec.size} allowed")
    return int(digits)


_CODERS = {number: _compile(spec) for number, spec in UNIONPAY_POS.items()}


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
        mti, fields = _unpack(body, _PREAMBLE)
        return cls(mti, fields, data[:TPDU_SIZE], header, body)


def pack(mti: str, fields: Mapping[int, Value]) -> bytes:
    """MTI, bitmap, fields.

    Raises:
        LocalError: a field that the table lacks or whose value does not fit.
    """
    if len(mti) != 4 or not _DIGITS.issuperset(mti):
        raise LocalError("MTI: 4 digits expected")
    numbers = sorted(fields)
    wide = bool(numbers) and numbers[-1] > 64
    bits, parts = int(wide) << 127, []
    for number in numbers:
        parts.append(_pack_field(number, fields[number]))
        bits |= 1 << (128 - number)
    bitmap = bits.to_bytes(16, "big")
    return bytes.fromhex(mti) + bitmap[: 16 if wide else 8] + b"".join(parts)


def _pack_field(number: int, value: Value) -> bytes:
    coder = _CODERS.get(number)
    if coder is None:
        raise LocalError(f"F{number}: not in the table")
    try:
        return coder.write(value)
    except _Misfit as error:
        raise LocalError(f"F{number}: {error}") from None


def unpack(body: bytes) -> tuple[str, dict[int, Value]]:
    """MTI and fields of a body.

    Raises:
        RemoteError: cut short, unknown field, wrong coding, bytes left over.
    """
    return _unpack(body, 0)


def _unpack(body: bytes, offset: int) -> tuple[str, dict[int, Value]]:
    if len(body) < _BODY_LEAST:
        raise RemoteError("message cut short", position=offset + len(body))
    mti = body[:2].hex()
    if not _DIGITS.issuperset(mti):
        raise RemoteError("MTI is not BCD", position=offset)
    size = 16 if body[2] & 0x80 else 8
    at = 2 + size
    if len(body) < at:
        raise RemoteError("bitmap cut short", position=offset + len(body))
    fields: dict[int, Value] = {}
    for number in _numbers(body[2:at]):
        fields[number], at = _unpack_field(number, body, at, offset)
    if at != len(body):
        left = len(body) - at
        raise RemoteError(f"{left} bytes after the last field", position=offset + at)
    if size == 16 and not any(number > 64 for number in fields):
        raise RemoteError("second bitmap is empty", position=offset + 2)
    return mti, fields


def _numbers(bitmap: bytes) -> Iterator[int]:
    bits = int.from_bytes(bitmap, "big")
    top = len(bitmap) * 8
    return (n for n in range(2, top + 1) if bits >> (top - n) & 1)


def _unpack_field(number: int, body: bytes, at: int, offset: int) -> tuple[Value, int]:
    coder = _CODERS.get(number)
    try:
        if coder is None:
            raise _Misfit("not in the table")
        return coder.read(body, at)
    except _Misfit as error:
        name = f"F{number}"
        raise RemoteError(str(error), position=offset + at, field=name) from None


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
