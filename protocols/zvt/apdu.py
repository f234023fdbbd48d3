"""What an APDU is made of: control field, length, BMP fields, TLV container.

PA00P016 5.2 (APDU, LLVAR, LLLVAR), PA00P015 chapters 9 (TLV) and 13 (BMPs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocols import tlv
from protocols.errors import LocalError, RemoteError
from protocols.tlv import Tlv

_EXTENDED = 0xFF
_LONGEST = 0xFFFF
ACCEPTED, REFUSED_CLASS = 0x8000, 0x84


@dataclass(frozen=True)
class Apdu:
    """``control`` is class and instruction in one number, as in 0x0600."""

    control: int
    data: bytes = field(default=b"", repr=False)

    def __repr__(self) -> str:
        return f"Apdu({self.name}, {len(self.data)} bytes)"

    @property
    def name(self) -> str:
        """As the specification writes it: ``06 00``."""
        return f"{self.control >> 8:02X} {self.control & 0xFF:02X}"

    @property
    def is_answer(self) -> bool:
        """80 00, or 84 and an error number (PA00P016 5.2.3)."""
        return self.control == ACCEPTED or self.control >> 8 == REFUSED_CLASS

    @property
    def error(self) -> int:
        """Of an answer: 0 when it is positive; 84 00 is (PA00P016 5.2.3)."""
        return self.control & 0xFF

    def to_bytes(self) -> bytes:
        """Raises LocalError when control field or data cannot be sent."""
        size = len(self.data)
        if size > _LONGEST or not 0 <= self.control <= 0xFFFF:
            raise LocalError("APDU cannot be sent")
        extended = bytes([_EXTENDED]) + size.to_bytes(2, "little")
        length = bytes([size]) if size < _EXTENDED else extended
        return self.control.to_bytes(2, "big") + length + self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Apdu:
        """Raises RemoteError when the length is missing or is another."""
        start = 5 if data[2:3] == bytes([_EXTENDED]) else 3
        if len(data) < start:
            raise RemoteError("APDU cut short", position=len(data))
        size = data[2] if start == 3 else int.from_bytes(data[3:5], "little")
        if len(data) - start != size:
            reason = f"{size} bytes announced, {len(data) - start} present"
            raise RemoteError(reason, position=start)
        return cls(int.from_bytes(data[:2], "big"), data[start:])


def bcd(digits: str, size: int) -> bytes:
    """``size`` bytes, zeros in front. Raises LocalError: no digits, or too many."""
    if len(digits) > 2 * size or not (digits.isascii() and digits.isdecimal()):
        raise LocalError(f"{2 * size} digits at most expected")
    return bytes.fromhex(digits.zfill(2 * size))


def digits(data: bytes, name: str) -> str:
    """Raises RemoteError: a half byte that is no decimal digit."""
    text = data.hex()
    if not text.isdecimal():
        raise RemoteError("decimal digits expected", field=name)
    return text


# --- BMP fields ---------------------------------------------------------------------

LL, LLL, CONTAINER = -2, -3, 0
"""Lengths that stand in front of the value: FxFy, FxFyFz, and that of TLV."""

BMP_SIZES: dict[int, int] = {
    **dict.fromkeys((0x01, 0x02, 0x03, 0x05, 0x19, 0x27, 0x8A, 0x8C, 0xA0), 1),
    **dict.fromkeys((0xD0, 0xD2, 0xD3, 0xE0, 0xE9, 0xEA, 0xF0, 0xF9), 1),
    **dict.fromkeys((0xFA, 0xFB, 0xFC, 0xFD, 0x72, 0x73, 0x74, 0x75), 1),
    **dict.fromkeys((0x0D, 0x0E, 0x17, 0x3A, 0x49, 0x87), 2),
    **dict.fromkeys((0x0B, 0x0C, 0x37, 0x3D, 0x88, 0xAA), 3),
    **dict.fromkeys((0x29, 0x70, 0x71), 4),
    **dict.fromkeys((0x04,), 6),
    **dict.fromkeys((0x3B, 0xEB), 8),
    0xBA: 5,
    0x2A: 15,
    **dict.fromkeys((0x22, 0x23, 0x2D, 0x4C, 0x8B, 0xA7, 0xD1), LL),
    **dict.fromkeys((*range(0xE1, 0xE9), *range(0xF1, 0xF9)), LL),
    **dict.fromkeys((0x24, 0x2E, 0x3C, 0x60, 0x9A, 0xAF), LLL),
    0x06: CONTAINER,
}
"""Bytes of each field, or how its length is told (PA00P015 chapter 13)."""

Fields = Mapping[int, bytes]


class UnknownField(RemoteError):
    """A BMP of no known length: nothing after it can be read. The terminal answers
    84 83 00 (PA00P015 chapter 13)."""


def read_fields(data: bytes) -> dict[int, bytes]:
    """The fields by BMP, in any order.

    Raises:
        UnknownField: a BMP that the specification does not have.
        RemoteError: one cut short, a length that is none, or one that comes twice.
    """
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        bmp, name = data[at], f"{data[at]:02X}"
        if bmp not in BMP_SIZES:
            raise UnknownField("unknown BMP", position=at, field=name)
        if bmp in found:
            raise RemoteError("BMP comes twice", position=at, field=name)
        start, size = _extent(data, at + 1, BMP_SIZES[bmp], name)
        at = start + size
        if at > len(data):
            raise RemoteError("BMP cut short", position=start, field=name)
        found[bmp] = data[start:at]
    return found


def _extent(data: bytes, at: int, size: int, name: str) -> tuple[int, int]:
    """Where the value begins, and its size."""
    if size > 0:
        return at, size
    if size == CONTAINER:
        return _tlv_length(data, at, name)
    return at - size, counted(data[at : at - size], -size, name)


def counted(head: bytes, places: int, name: str) -> int:
    """Value of FxFy or FxFyFz. Raises RemoteError when it is none."""
    if len(head) != places or any(not 0xF0 <= byte <= 0xF9 for byte in head):
        raise RemoteError("LLVAR length not readable", field=name)
    return int("".join(str(byte & 0x0F) for byte in head))


def var(value: bytes, places: int) -> bytes:
    """With its length in front, FxFy (2) or FxFyFz (3). Raises LocalError."""
    count = f"{len(value):0{places}}"
    if len(count) > places:
        raise LocalError(f"{len(value)} bytes are too many for a field")
    return bytes(0xF0 | int(digit) for digit in count) + value


def _tlv_length(data: bytes, at: int, name: str) -> tuple[int, int]:
    """One byte, 81 and one, or 82 and two (PA00P015 9.3.2)."""
    first = data[at : at + 1]
    more = {b"\x81": 1, b"\x82": 2}.get(first, 0)
    size = data[at + 1 : at + 1 + more] if more else first
    if len(size) != (more or 1) or (not more and size[0] >= 0x80):
        raise RemoteError("length not readable", position=at, field=name)
    return at + 1 + more, int.from_bytes(size, "big")


def write_fields(fields: Fields) -> bytes:
    """In the order given. Raises LocalError: unknown BMP, or another size."""
    return b"".join(_written(bmp, value) for bmp, value in fields.items())


def _written(bmp: int, value: bytes) -> bytes:
    size = BMP_SIZES.get(bmp)
    if size is None or (size > 0 and len(value) != size):
        raise LocalError(f"BMP {bmp:02X} cannot hold this value")
    if size == CONTAINER:
        return tlv.write(bmp, value)
    return bytes([bmp]) + (value if size > 0 else var(value, -size))


# --- TLV container ------------------------------------------------------------------

TWO_BYTE_TAGS = frozenset({0x1F80, 0x1F81, 0x1F82, 0x1F83})
"""By 9.3.1 a third byte would follow; 9.4.1 lists them as whole tags of two bytes."""


def read_container(data: bytes) -> list[Tlv]:
    """The objects of one level. Raises RemoteError as ``tlv.read``."""
    return tlv.read(data, padding=b"", whole=TWO_BYTE_TAGS)


def write_container(objects: Iterable[Tlv]) -> bytes:
    return b"".join(tlv.write(item.tag, item.value) for item in objects)


def inside(tag: int, *objects: Tlv) -> Tlv:
    """A constructed object that holds these."""
    return Tlv(tag, write_container(objects))


def at_path(data: bytes, *path: int) -> bytes | None:
    """Value of the first object at this path of tags; None where there is none.

    Raises:
        RemoteError: as ``read_container``, on the way there.
    """
    value: bytes | None = data
    for tag in path:
        objects = read_container(value or b"")
        value = next((item.value for item in objects if item.tag == tag), None)
        if value is None:
            return None
    return value
