"""ECR Hub packets on a serial line, as the vendor's public Java SDK defines them.

55 AA | type | ack | number | length (2 bytes, big-endian) | data | XOR | CC 33. The XOR
is taken over type to data. There is no way to ask for a packet again: one that does not
hold is let go, and its sender repeats it when no acknowledgement comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce
from operator import xor

from protocols.errors import LocalError

_BEGIN, _END = b"\x55\xaa", b"\xcc\x33"
MAX_PACKET = 1024
_HEAD, _TAIL = 7, 3
MAX_DATA = MAX_PACKET - _HEAD - _TAIL


class Kind(IntEnum):
    """A packet's type. COMMON are messages, acknowledgements and heartbeats."""

    COMMON = 0
    HANDSHAKE = 1
    CONFIRM = 2


def checksum(data: bytes) -> int:
    """XOR of the bytes."""
    return reduce(xor, data, 0)


@dataclass(frozen=True)
class Packet:
    """``number`` of a message is 1 to 255; ``ack`` is the number acknowledged, or 0."""

    kind: Kind
    ack: int = 0
    number: int = 0
    data: bytes = field(default=b"", repr=False)

    def to_bytes(self) -> bytes:
        """Raises LocalError: more than ``MAX_DATA`` bytes, or a number that is none."""
        if len(self.data) > MAX_DATA:
            raise LocalError(f"at most {MAX_DATA} bytes go into a packet")
        if not 0 <= self.ack <= 255 or not 0 <= self.number <= 255:
            raise LocalError("ack and number: 0 to 255")
        head = bytes([self.kind, self.ack, self.number]) + len(self.data).to_bytes(2)
        body = head + self.data
        return _BEGIN + body + bytes([checksum(body)]) + _END


HANDSHAKE, CONFIRM = Packet(Kind.HANDSHAKE), Packet(Kind.CONFIRM)
HEARTBEAT = Packet(Kind.COMMON)


class Feeder:
    """Bytes in, packets out, however the bytes are cut.

    ``skipped`` counts bytes that belong to no packet. When a packet does not hold, a
    beginning is looked for inside it. Fewer than ``MAX_PACKET`` bytes are held.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        packets = []
        for at in range(0, len(data), MAX_PACKET):
            self._held += data[at : at + MAX_PACKET]
            packets += self._taken()
        return packets

    def _taken(self) -> list[Packet]:
        packets = []
        while (size := self._size()) is not None and size <= len(self._held):
            packet = _packet(bytes(self._held[:size]))
            if packet is None:
                self._skip(1)
            else:
                del self._held[:size]
                packets.append(packet)
        return packets

    def _size(self) -> int | None:
        """Of the packet that begins here; None when more bytes must come first."""
        while self._to_beginning() and len(self._held) >= _HEAD:
            size = int.from_bytes(self._held[5:_HEAD]) + _HEAD + _TAIL
            if size <= MAX_PACKET and self._held[2] in Kind.__members__.values():
                return size
            self._skip(1)
        return None

    def _to_beginning(self) -> bool:
        at = self._held.find(_BEGIN)
        if at < 0:
            half = self._held[-1:] == _BEGIN[:1]
            self._skip(len(self._held) - half)
            return False
        self._skip(at)
        return True

    def _skip(self, count: int) -> None:
        self.skipped += count
        del self._held[:count]


def _packet(data: bytes) -> Packet | None:
    body = data[len(_BEGIN) : -_TAIL]
    if data[-2:] != _END or data[-_TAIL] != checksum(body):
        return None
    return Packet(Kind(body[0]), body[1], body[2], body[5:])
