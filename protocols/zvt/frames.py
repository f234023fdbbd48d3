"""ZVT transports: messages with a CRC on a serial line, bare APDUs on TCP.

Serial (PA00P016 chapter 3): DLE STX | APDU | DLE ETX | CRC low, CRC high. A DLE inside
the APDU is doubled; the CRC is over the APDU and ETX without the doubled bytes. Each
message is answered ACK or NAK, a single byte. TCP (chapter 4) carries the APDU alone.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from protocols.errors import LocalError
from protocols.feeding import ByteFeeder, take_run

DLE, STX, ETX, ACK, NAK = 0x10, 0x02, 0x03, 0x06, 0x15
MAX_APDU = 5 + 0xFFFF
"""Control field, extended length field, data (PA00P016 5.2.4)."""
_EXTENDED = 0xFF
_PLAIN = re.compile(rb"[^\x10]+")
CLASSES = frozenset({0x01, 0x04, 0x05, 0x06, 0x08, 0x0F, 0x80, 0x84})
"""First bytes of an APDU (PA00P015 chapter 14)."""
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Control(IntEnum):
    """A single byte between messages of a serial line."""

    ACK = ACK
    NAK = NAK


def crc(data: bytes) -> int:
    """CRC-16, polynomial 0x8408, start 0: the mirror image of what ``binascii`` has."""
    high, low = crc_hqx(data.translate(_MIRRORED), 0).to_bytes(2, "big")
    return _MIRRORED[low] << 8 | _MIRRORED[high]


def frame(apdu: bytes) -> bytes:
    """A message for a serial line. Raises LocalError when the APDU is too long."""
    if len(apdu) > MAX_APDU:
        raise LocalError("APDU too long")
    doubled = apdu.replace(bytes([DLE]), bytes([DLE, DLE]))
    check = crc(apdu + bytes([ETX])).to_bytes(2, "little")
    return bytes([DLE, STX]) + doubled + bytes([DLE, ETX]) + check


@dataclass(frozen=True)
class Frame:
    """An APDU's bytes; ``intact`` says whether the message around it held."""

    apdu: bytes = field(repr=False)
    intact: bool = True


Event = Frame | Control


class Feeder(Protocol):
    """Bytes in, events out, however the bytes are cut. ``skipped`` counts the bytes
    that belong to nothing. At most ``MAX_APDU`` bytes are held."""

    skipped: int

    @property
    def inside(self) -> bool:
        """Whether a message has begun on a line where its rest must come within T1."""
        ...

    def feed(self, data: bytes) -> list[Event]: ...

    def drop(self) -> None:
        """Give up the message that has begun; its bytes are skipped."""
        ...


class SerialFeeder(ByteFeeder[Event]):
    """A Feeder. DLE STX inside a message starts anew, since it cannot be data."""

    def __init__(self) -> None:
        self.skipped = 0
        self._apdu: bytearray | None = None
        self._intact = True
        self._escaped = False
        self._check: bytearray | None = None

    def _run(self, data: bytes, at: int) -> int:
        if self._apdu is None or self._escaped or self._check is not None:
            return 0
        return take_run(_PLAIN, data, at, self._apdu, MAX_APDU)

    @property
    def inside(self) -> bool:
        return self._apdu is not None

    def drop(self) -> None:
        self.skipped += 0 if self._apdu is None else len(self._apdu) + 2
        self._apdu = self._check = None
        self._escaped = False

    def _byte(self, byte: int) -> Event | None:
        if self._check is not None:
            return self._closing(self._check, byte)
        if self._escaped:
            self._escaped = False
            return self._after_dle(byte)
        if byte == DLE:
            self._escaped = True
            return None
        return self._outside(byte) if self._apdu is None else self._data(byte)

    def _outside(self, byte: int) -> Event | None:
        if byte in (ACK, NAK):
            return Control(byte)
        self.skipped += 1
        return None

    def _after_dle(self, byte: int) -> Event | None:
        if byte == STX:
            self.drop()
            self._apdu, self._intact = bytearray(), True
            return None
        if self._apdu is None:
            self.skipped += 1
            return self._byte(byte)
        if byte == ETX:
            self._check = bytearray()
            return None
        self._intact &= byte == DLE
        return self._data(byte)

    def _data(self, byte: int) -> Event | None:
        if self._apdu is None or len(self._apdu) == MAX_APDU:
            self._apdu = None
            return Frame(b"", intact=False)
        self._apdu.append(byte)
        return None

    def _closing(self, check: bytearray, byte: int) -> Event | None:
        check.append(byte)
        if len(check) < 2:
            return None
        apdu = bytes(self._apdu or b"")
        holds = crc(apdu + bytes([ETX])) == int.from_bytes(check, "little")
        self._apdu = self._check = None
        return Frame(apdu, intact=self._intact and holds)


class TcpFeeder:
    """A Feeder for bare APDUs. A byte that begins none is skipped."""

    def __init__(self) -> None:
        self.skipped = 0
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Event]:
        self._held += data
        found: list[Event] = []
        while (apdu := self._next()) is not None:
            found.append(Frame(apdu))
        return found

    @property
    def inside(self) -> bool:
        return False

    def drop(self) -> None:
        self.skipped += len(self._held)
        self._held.clear()

    def _next(self) -> bytes | None:
        self._skip()
        size = _announced(self._held)
        if size is None or len(self._held) < size:
            return None
        apdu = bytes(self._held[:size])
        del self._held[:size]
        return apdu

    def _skip(self) -> None:
        begins = (at for at, byte in enumerate(self._held) if byte in CLASSES)
        noise = next(begins, len(self._held))
        self.skipped += noise
        del self._held[:noise]


def _announced(held: bytearray) -> int | None:
    """Size of the APDU that begins here; None while its length is not there yet."""
    if len(held) < 3:
        return None
    if held[2] != _EXTENDED:
        return 3 + held[2]
    return 5 + int.from_bytes(held[3:5], "little") if len(held) >= 5 else None


@dataclass(frozen=True)
class Transport:
    """How APDUs travel; ``acknowledged``: every message is answered ACK or NAK."""

    name: str
    acknowledged: bool

    def feeder(self) -> Feeder:
        return SerialFeeder() if self.acknowledged else TcpFeeder()

    def wrap(self, apdu: bytes) -> bytes:
        """Raises LocalError when the APDU is too long."""
        return frame(apdu) if self.acknowledged else apdu


SERIAL, TCP = Transport("serial", True), Transport("tcp", False)
