"""F48, F55, F60, F62 and F63 as typed values, read when asked for, never at unpack.

A function takes a message and returns what stands inside one of its fields; each
raises RemoteError when the field is absent or holds something else. What F62 and F63
hold depends on the message: the caller asks for what it expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from protocols import tlv
from protocols.errors import LocalError, RemoteError
from protocols.iso8583 import keys, parameters
from protocols.iso8583.codec import Message
from protocols.iso8583.keys import WorkingKeys
from protocols.iso8583.parameters import Management, Totals

# -- F60, F48 -------------------------------------------------------------------------


def management(message: Message) -> Management:
    """F60. Raises RemoteError: absent, or shorter than 11 digits."""
    return Management.from_text(message.text(60))


_HALF = 31
_NONE = Totals()


@dataclass(frozen=True)
class Settlement:
    """F48 of a settlement: domestic and foreign cards, each with its own result."""

    domestic: Totals = _NONE
    foreign: Totals = _NONE

    def to_text(self) -> str:
        """62 digits. Raises LocalError when a sum, count or result is out of range."""
        halves = [self.domestic.to_text(), self.foreign.to_text()]
        fits = all(len(half) == 2 * _HALF and half.isdigit() for half in halves)
        if not fits:
            raise LocalError("F48: a sum, count or result has not its digits")
        return "".join(half[:_HALF] for half in halves)

    @classmethod
    def from_text(cls, text: str) -> Settlement:
        """Raises RemoteError when it is not 62 digits."""
        if len(text) != 2 * _HALF:
            raise RemoteError(f"{len(text)} digits, 62 expected", field="F48")
        return cls(Totals.from_text(text[:_HALF]), Totals.from_text(text[_HALF:]))


def settlement(message: Message) -> Settlement:
    """F48. Raises RemoteError: absent, or not 62 digits."""
    return Settlement.from_text(message.text(48))


# -- F55 ------------------------------------------------------------------------------

# EMV Book 3 annex A: tags that a terminal sends and that say nothing of the holder.
_HARMLESS = frozenset(
    int(tag, 16)
    for tag in (
        "82 84 8A 91 95 9A 9C 5F2A 5F34 9F02 9F03 9F09 9F10 9F1A 9F1E 9F26 9F27 9F33"
        " 9F34 9F35 9F36 9F37 9F41 9F63 9F74"
    ).split()
)


@dataclass(frozen=True)
class ChipData:
    """F55: the chip's data objects, by tag, in their order.

    ``repr`` names the known tags and counts the rest: a value may be a PAN or a
    cryptogram, and a garbled field may show digits of one as a tag.
    """

    objects: Mapping[int, bytes]

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", MappingProxyType(dict(self.objects)))

    def get(self, tag: int) -> bytes | None:
        """The value of a tag as on the wire (0x9F26), or None."""
        return self.objects.get(tag)

    def to_bytes(self) -> bytes:
        """Raises LocalError when longer than F55 may be, 255 bytes."""
        data = b"".join(tlv.write(tag, value) for tag, value in self.objects.items())
        if len(data) > 255:
            raise LocalError(f"F55: {len(data)} bytes, at most 255 allowed")
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ChipData:
        """Raises RemoteError: not BER-TLV, or a tag that stands twice."""
        try:
            found = tlv.read(data)
        except RemoteError as error:
            where = error.position
            raise RemoteError(error.reason, position=where, field="F55") from None
        objects = {item.tag: item.value for item in found}
        if len(objects) != len(found):
            raise RemoteError("a tag stands twice", field="F55")
        return cls(objects)

    def __repr__(self) -> str:
        known = [f"{tag:X}" for tag in self.objects if tag in _HARMLESS]
        others = len(self.objects) - len(known)
        return f"ChipData({' '.join(known)}, {others} others)"


def chip_data(message: Message) -> ChipData:
    """F55. Raises RemoteError: absent, not BER-TLV, or a tag that stands twice."""
    return ChipData.from_bytes(message.data(55))


# -- F62 ------------------------------------------------------------------------------


def parameter_list(message: Message) -> dict[str, bytes]:
    """F62 of a parameter download's answer; see ``parameters.read_list``."""
    return parameters.read_list(message.data(62))


def working_keys(message: Message, tmk: bytes) -> WorkingKeys:
    """F62 of a sign-in's answer; see ``keys.unwrap``."""
    return keys.unwrap(message.data(62), tmk)


_SERIAL_HEAD = b"Sequence No"


def serial_field(serial: str) -> bytes:
    """F62 of a sign-in's request: the terminal's serial number behind its length.

    Raises:
        LocalError: not 1 to 99 characters of ASCII.
    """
    if not 1 <= len(serial) <= 99 or not serial.isascii():
        raise LocalError("F62: a serial number has 1 to 99 characters of ASCII")
    return _SERIAL_HEAD + f"{len(serial):02}{serial}".encode()


def terminal_serial(message: Message) -> str:
    """F62 of a sign-in's request. Raises RemoteError: absent, or no serial number."""
    data = message.data(62)
    head, rest = data[: len(_SERIAL_HEAD)], data[len(_SERIAL_HEAD) :]
    size, serial = rest[:2], rest[2:]
    if head != _SERIAL_HEAD or not size.isdigit() or not serial.isascii():
        raise RemoteError("no serial number", field="F62")
    if not serial or len(serial) != int(size):
        raise RemoteError(f"serial number of {len(serial)} bytes", field="F62")
    return serial.decode("ascii")


# -- F63 ------------------------------------------------------------------------------

_OWNER = 3
_NETWORK_MANAGEMENT = "08"


@dataclass(frozen=True)
class Private63:
    """F63: 63.1 an3, then whatever the acquirer lays down.

    63.1 is the operator in network management (08xx) and the card scheme elsewhere
    (CUP for UnionPay); ``rest`` may hold free text and is hidden in ``repr``.
    """

    owner: str
    rest: str = field(default="", repr=False)

    def to_text(self) -> str:
        """Raises LocalError when 63.1 is not 3 characters."""
        if len(self.owner) != _OWNER:
            raise LocalError("F63: 63.1 has 3 characters")
        return self.owner + self.rest

    @classmethod
    def from_text(cls, text: str) -> Private63:
        """Raises RemoteError when shorter than 3 characters."""
        if len(text) < _OWNER:
            raise RemoteError(f"{len(text)} characters, 3 expected", field="F63")
        return cls(text[:_OWNER], text[_OWNER:])


def operator(message: Message) -> str:
    """63.1 of network management: the operator. Raises RemoteError in another MTI."""
    return _owner(message, wanted=True)


def scheme(message: Message) -> str:
    """63.1 elsewhere: the card scheme. Raises RemoteError in network management."""
    return _owner(message, wanted=False)


def _owner(message: Message, *, wanted: bool) -> str:
    if message.mti.startswith(_NETWORK_MANAGEMENT) is not wanted:
        raise RemoteError(f"F63 of a {message.mti} has another meaning", field="F63")
    return Private63.from_text(message.text(63)).owner
