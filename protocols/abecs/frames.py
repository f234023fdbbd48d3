"""ABECS packets: SYN | data | ETB | CRC-16 (ABECS 2.12 and 2.20, clause 2.2.1).

In the data, DC3, SYN and ETB are sent as DC3 and the byte + 20h. The CRC is taken over
the data as they were before, and ETB; it is sent high byte first, and not escaped.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from enum import IntEnum

from protocols.errors import LocalError
from protocols.feeding import ByteFeeder, take_run

EOT, ACK, DC3, NAK, SYN, ETB, CAN = 0x04, 0x06, 0x13, 0x15, 0x16, 0x17, 0x18
MAX_DATA = 2049
_SHIFT = 0x20
_ESCAPED = frozenset({DC3, SYN, ETB})
_PLAIN = re.compile(rb"[^\x13\x16\x17]+")


class Control(IntEnum):
    """A single byte between packets."""

    EOT = EOT
    ACK = ACK
    NAK = NAK
    CAN = CAN


def crc(data: bytes) -> int:
    """CRC-16 with the polynomial 1021h, start 0 (clause 7.2)."""
    return binascii.crc_hqx(data, 0)


def frame(data: bytes) -> bytes:
    """Raises LocalError when there are more than ``MAX_DATA`` bytes."""
    if len(data) > MAX_DATA:
        raise LocalError(f"at most {MAX_DATA} bytes go into a packet")
    check = crc(data + bytes([ETB])).to_bytes(2)
    return bytes([SYN]) + _escape(data) + bytes([ETB]) + check


def _escape(data: bytes) -> bytes:
    # DC3 first: what stands for the other two begins with it.
    for byte in (DC3, SYN, ETB):
        data = data.replace(bytes([byte]), bytes([DC3, byte + _SHIFT]))
    return data


@dataclass(frozen=True)
class Frame:
    """A packet's data; ``intact`` says whether CRC, escapes and length held."""

    data: bytes = field(repr=False)
    intact: bool = True


Event = Frame | Control


class Feeder(ByteFeeder[Event]):
    """Bytes in, packets and control bytes out, however the bytes are cut.

    ``skipped`` counts bytes that belong to no packet. A new SYN in the data starts
    anew, since SYN cannot be data. At most ``MAX_DATA`` bytes are held; of a longer
    packet only the end is waited for.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._data: bytearray | None = None
        self._taken = 0
        self._sound = True
        self._escaping = False
        self._check: bytearray | None = None

    @property
    def inside(self) -> bool:
        """In the middle of a packet."""
        return self._data is not None

    def _run(self, data: bytes, at: int) -> int:
        if self._data is None or self._escaping or self._check is not None:
            return 0
        run = take_run(_PLAIN, data, at, self._data, MAX_DATA)
        self._taken += run
        return run

    def give_up(self) -> bool:
        """The line fell silent: forget half a packet. True when there was one."""
        was_inside = self.inside
        self._forget()
        return was_inside

    def _byte(self, byte: int) -> Event | None:
        if self._check is not None:
            return self._checked(self._check, byte)
        if byte == SYN:
            self._forget()
            self._data, self._taken = bytearray(), 1
        elif self._data is not None:
            self._inside(self._data, byte)
        elif byte in (EOT, ACK, NAK, CAN):
            return Control(byte)
        else:
            self.skipped += 1
        return None

    def _inside(self, data: bytearray, byte: int) -> None:
        self._taken += 1
        if byte == ETB:
            self._sound &= not self._escaping
            self._check = bytearray()
        elif self._escaping:
            self._escaping = False
            self._sound &= byte - _SHIFT in _ESCAPED
            self._keep(data, byte - _SHIFT & 0xFF)
        elif byte == DC3:
            self._escaping = True
        else:
            self._keep(data, byte)

    def _keep(self, data: bytearray, byte: int) -> None:
        if len(data) == MAX_DATA:
            self._sound = False
        else:
            data.append(byte)

    def _checked(self, check: bytearray, byte: int) -> Frame | None:
        check.append(byte)
        if len(check) < 2:
            return None
        data = bytes(self._data or b"")
        intact = self._sound and crc(data + bytes([ETB])) == int.from_bytes(check)
        self._taken = 0
        self._forget()
        return Frame(data, intact=intact)

    def _forget(self) -> None:
        self.skipped += self._taken
        self._data, self._check = None, None
        self._taken, self._sound, self._escaping = 0, True, False
