"""Each field's two directions, made once from the table.

A writer takes a value and returns its bytes, length included. A reader takes the body,
the body as hex digits and the place of the field in bytes; it returns the
value and the place behind it. Both judge with one quick test and look for the reason
only when it fails: most of a message's time is spent here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from protocols.iso8583.spec import UNIONPAY_POS, Coding, Field

Value = str | bytes
Write = Callable[[Value], bytes]
Read = Callable[[bytes, str, int], tuple[Value, int]]

_PADDED_RIGHT = frozenset({Coding.NL, Coding.Z})
_MISSING = "{} bytes missing"


class Misfit(ValueError):
    """A value that its field cannot hold; the words become the error's reason."""


class Padding(Misfit):
    """Padding that is not zero, and what stands beside it: lenient reading goes on."""

    def __init__(self, value: Value, end: int) -> None:
        self.value = value
        self.end = end
        super().__init__("padding is not zero")


@dataclass(frozen=True)
class Coder:
    """One field's two directions; both raise Misfit."""

    write: Write
    read: Read


# -- lengths --------------------------------------------------------------------------


def _digits_bcd(number: int, prefix: int) -> str:
    return f"{number:0{2 * prefix}}" if prefix else ""


def _counts(spec: Field) -> dict[str, int]:
    """What may stand before the field, as digits -> count; nothing when it is fixed."""
    if not spec.prefix:
        return {"": spec.size}
    return {_digits_bcd(n, spec.prefix): n for n in range(spec.size + 1)}


def _heads(spec: Field) -> dict[int, bytes]:
    """The other way: the counts that the field may have -> the bytes before it."""
    return {count: bytes.fromhex(head) for head, count in _counts(spec).items()}


def _refuse_head(head: str, spec: Field) -> NoReturn:
    if len(head) < 2 * spec.prefix or not head.isdigit():
        raise Misfit("length not readable")
    raise Misfit(f"length {int(head)}, at most {spec.size} allowed")


def _refuse_count(count: int, spec: Field) -> NoReturn:
    raise Misfit(f"length {count}, {spec.size} allowed")


def _refuse_digits(missing: int) -> NoReturn:
    raise Misfit(
        _MISSING.format(missing) if missing > 0 else "a nibble that is no digit"
    )


# -- digits ---------------------------------------------------------------------------


def _write_digits(spec: Field) -> Write:
    right = spec.coding in _PADDED_RIGHT or spec.prefix > 0
    before, behind = ("", "0") if right else ("0", "")
    track, heads = spec.coding is Coding.Z, _heads(spec)

    def write(value: Value) -> bytes:
        if not isinstance(value, str):
            raise Misfit("digits expected, not bytes")
        plain = value
        if track:
            value = value.replace("=", "D")
            plain = value.replace("D", "0")
        if not (plain.isdigit() and plain.isascii()) and value:
            raise Misfit("digits expected")
        count = len(value)
        if count not in heads:
            _refuse_count(count, spec)
        if count % 2:
            value = before + value + behind
        return heads[count] + bytes.fromhex(value)

    return write


def _read_digits(spec: Field) -> Read:
    right = spec.coding in _PADDED_RIGHT or spec.prefix > 0
    track, prefix, counts = spec.coding is Coding.Z, spec.prefix, _counts(spec)

    def read(body: bytes, nibbles: str, at: int) -> tuple[Value, int]:
        start = at + prefix
        count = counts.get(nibbles[2 * at : 2 * start])
        if count is None:
            _refuse_head(nibbles[2 * at : 2 * start], spec)
        end = start + (count + 1) // 2
        first = 2 * start + (0 if right else count % 2)
        plain = digits = nibbles[first : first + count]
        if track:
            digits = digits.upper()
            plain = digits.replace("D", "0")
        if len(digits) < count or not (plain.isdigit() or not count):
            _refuse_digits(end - len(body))
        if count % 2 and nibbles[2 * end - 1 if right else 2 * start] != "0":
            raise Padding(digits, end)
        return digits, end

    return read


def _read_plain_digits(spec: Field) -> Read:
    """Fixed and even, as most are: what is not as it should be goes the long way."""
    size, width, thorough = spec.size, spec.size // 2, _read_digits(spec)

    def read(body: bytes, nibbles: str, at: int) -> tuple[Value, int]:
        end = at + width
        digits = nibbles[2 * at : 2 * end]
        if digits.isdigit() and len(digits) == size:
            return digits, end
        return thorough(body, nibbles, at)

    return read


# -- text and bytes -------------------------------------------------------------------


def _write_ascii(spec: Field) -> Write:
    heads = _heads(spec)

    def write(value: Value) -> bytes:
        if not isinstance(value, str):
            raise Misfit("text expected, not bytes")
        if not value.isascii():
            raise Misfit("text that ascii cannot hold")
        head = heads.get(len(value))
        if head is None:
            _refuse_count(len(value), spec)
        return head + value.encode()

    return write


def _write_gbk(spec: Field) -> Write:
    heads = _heads(spec)

    def write(value: Value) -> bytes:
        if not isinstance(value, str):
            raise Misfit("text expected, not bytes")
        try:
            data = value.encode("gbk")
        except UnicodeEncodeError:
            raise Misfit("text that gbk cannot hold") from None
        if not spec.prefix:
            data = data.ljust(spec.size)
        if len(data) not in heads:
            _refuse_count(len(data), spec)
        return heads[len(data)] + data

    return write


def _write_bytes(spec: Field) -> Write:
    heads = _heads(spec)

    def write(value: Value) -> bytes:
        if not isinstance(value, bytes):
            raise Misfit("bytes expected, not text")
        head = heads.get(len(value))
        if head is None:
            _refuse_count(len(value), spec)
        return head + value

    return write


def _read_bytes(spec: Field, decode: Callable[[bytes], Value]) -> Read:
    prefix, counts = spec.prefix, _counts(spec)

    def read(body: bytes, nibbles: str, at: int) -> tuple[Value, int]:
        start = at + prefix
        count = counts.get(nibbles[2 * at : 2 * start])
        if count is None:
            _refuse_head(nibbles[2 * at : 2 * start], spec)
        end = start + count
        if end > len(body):
            raise Misfit(_MISSING.format(end - len(body)))
        try:
            return decode(body[start:end]), end
        except UnicodeDecodeError as error:
            raise Misfit(f"text that is not {error.encoding}") from None

    return read


def _read_plain_text(spec: Field) -> Read:
    """Fixed ASCII; what is not as it should be goes the long way."""
    size, thorough = spec.size, _read_bytes(spec, _ascii)

    def read(body: bytes, nibbles: str, at: int) -> tuple[Value, int]:
        end = at + size
        data = body[at:end]
        if data.isascii() and len(data) == size:
            return data.decode(), end
        return thorough(body, nibbles, at)

    return read


def _ascii(data: bytes) -> str:
    return data.decode("ascii")


def _gbk(data: bytes) -> str:
    return data.decode("gbk")


def _gbk_padded(data: bytes) -> str:
    return data.decode("gbk").rstrip(" ")


def _compile(spec: Field) -> Coder:
    return Coder(_WRITERS[spec.coding](spec), _reader(spec))


_WRITERS: dict[Coding, Callable[[Field], Write]] = {
    **dict.fromkeys((Coding.N, Coding.NL, Coding.Z), _write_digits),
    Coding.A: _write_ascii,
    Coding.G: _write_gbk,
    Coding.B: _write_bytes,
}


def _reader(spec: Field) -> Read:
    match spec:
        case Field(Coding.N, size, 0) if size % 2 == 0:
            return _read_plain_digits(spec)
        case Field(Coding.A, _, 0):
            return _read_plain_text(spec)
        case Field(Coding.A):
            return _read_bytes(spec, _ascii)
        case Field(Coding.G, _, 0):
            return _read_bytes(spec, _gbk_padded)
        case Field(Coding.G):
            return _read_bytes(spec, _gbk)
        case Field(Coding.B):
            return _read_bytes(spec, bytes)
    return _read_digits(spec)


def _unknown(*given: object) -> NoReturn:
    raise Misfit("not in the table")


CODERS = {number: _compile(spec) for number, spec in UNIONPAY_POS.items()}
UNKNOWN = Coder(_unknown, _unknown)
"""The coder of a field that the table lacks."""
