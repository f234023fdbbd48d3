"""POSLink frames: STX | payload | ETX | LRC, the LRC being the XOR of payload, ETX."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce
from operator import xor

from protocols.errors import LocalError
from protocols.feeding import ByteFeeder, take_run

STX, ETX, EOT, ACK, NAK = 0x02, 0x03, 0x04, 0x06, 0x15
MAX_PAYLOAD = 8192
"""Bytes of a frame: an A18 with 4000 bytes of a file in base64 has some 5400."""

_PLAIN = re.compile(rb"[^\x02\x03]+")


class Control(IntEnum):
    """A single byte between frames."""

    ACK = ACK
    NAK = NAK
    EOT = EOT


def lrc(data: bytes) -> int:
    """XOR of the bytes."""
    return reduce(xor, data, 0)


def frame(payload: bytes) -> bytes:
    """Raises LocalError when the payload holds STX or ETX, or is too long."""
    if STX in payload or ETX in payload or len(payload) > MAX_PAYLOAD:
        raise LocalError("payload cannot be framed")
    body = payload + bytes([ETX])
    return bytes([STX]) + body + bytes([lrc(body)])


@dataclass(frozen=True)
class Frame:
    """A whole payload; ``intact`` says whether its LRC held and it was not too long."""

    payload: bytes = field(repr=False)
    intact: bool = True


Event = Frame | Control


class Feeder(ByteFeeder[Event]):
    """Bytes in, frames and control bytes out, however the bytes are cut.

    ``skipped`` counts bytes that belong to no frame. A new STX inside a frame starts
    anew, since STX cannot be payload. At most ``MAX_PAYLOAD`` bytes are held.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._payload: bytearray | None = None
        self._complete = False

    def _run(self, data: bytes, at: int) -> int:
        if self._payload is None or self._complete:
            return 0
        return take_run(_PLAIN, data, at, self._payload, MAX_PAYLOAD)

    def _byte(self, byte: int) -> Event | None:
        if self._complete and self._payload is not None:
            return self._finish(bytes(self._payload), byte)
        if byte == STX:
            self.skipped += len(self._payload) + 1 if self._payload is not None else 0
            self._payload = bytearray()
        elif self._payload is not None:
            return self._inside(self._payload, byte)
        elif byte in (ACK, NAK, EOT):
            return Control(byte)
        else:
            self.skipped += 1
        return None

    def _inside(self, payload: bytearray, byte: int) -> Event | None:
        if byte == ETX:
            self._complete = True
        elif len(payload) == MAX_PAYLOAD:
            self._payload = None
            return Frame(b"", intact=False)
        else:
            payload.append(byte)
        return None

    def _finish(self, payload: bytes, check: int) -> Frame:
        self._payload, self._complete = None, False
        return Frame(payload, intact=lrc(payload) ^ ETX == check)
