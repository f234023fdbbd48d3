"""Both ends of an ECR Hub line as machines.

What the messages say (protobuf, the vendor's) is left as bytes. No clock here: the
caller calls ``repeat`` while ``repeat_after`` says so, and ``heartbeat`` as often as
its side does.
"""

from __future__ import annotations

from typing import ClassVar

from protocols.ecrhub.frames import CONFIRM, HANDSHAKE, HEARTBEAT, Feeder, Kind, Packet
from protocols.errors import LocalError, RemoteError

HANDSHAKE_SECONDS, REPEAT_SECONDS = 1.0, 0.1
MAX_REPEATS = 100
"""Of one packet; at the SDK's pace a message is given up after its 10 seconds."""
SILENCE_SECONDS = 30.0
"""Without a heartbeat: then a till shakes hands anew, the SDK's at most 5 times."""
_LAST_NUMBER = 255

UNCONFIRMED = "handshake not confirmed"
UNACKNOWLEDGED = "message not acknowledged"


class Ended(RemoteError):
    """The other side does not answer; ``reason`` is one of those above."""


class _End:
    """What both ends do once they have shaken hands.

    ``messages`` are those that arrived; take them out. ``heartbeats`` counts the other
    side's. One message is under way at a time, until ``idle``.
    """

    HEARTBEAT_SECONDS: ClassVar[float]

    def __init__(self) -> None:
        self.connected = False
        self.messages: list[bytes] = []
        self.heartbeats = 0
        self._feeder = Feeder()
        self._number = 0
        self._under_way: Packet | None = None
        self._repeated = self._last_arrived = 0

    @property
    def skipped(self) -> int:
        return self._feeder.skipped

    @property
    def idle(self) -> bool:
        """Connected, and the last message is acknowledged."""
        return self.connected and self._under_way is None

    @property
    def repeat_after(self) -> float | None:
        """Seconds until ``repeat``; None when nothing is waited for."""
        if self._under_way is None:
            return None
        return REPEAT_SECONDS if self.connected else HANDSHAKE_SECONDS

    def send(self, data: bytes) -> bytes:
        """A message's bytes.

        Raises:
            LocalError: not ``idle``, nothing to send, or too long.
        """
        if not self.idle or not data:
            raise LocalError("no message can be sent now")
        packet = Packet(Kind.COMMON, number=self._number % _LAST_NUMBER + 1, data=data)
        sent = packet.to_bytes()
        self._number, self._under_way, self._repeated = packet.number, packet, 0
        return sent

    def repeat(self) -> bytes:
        """What is under way, once more; nothing when nothing is.

        Raises:
            Ended: it was repeated ``MAX_REPEATS`` times.
        """
        if self._under_way is None:
            return b""
        if self._repeated == MAX_REPEATS:
            raise Ended(UNACKNOWLEDGED if self.connected else UNCONFIRMED)
        self._repeated += 1
        return self._under_way.to_bytes()

    def heartbeat(self) -> bytes:
        """To be sent every ``HEARTBEAT_SECONDS``; nothing before the handshake."""
        return HEARTBEAT.to_bytes() if self.connected else b""

    def receive(self, data: bytes) -> bytes:
        """What to send now. Bytes that are no packet are skipped and counted."""
        return b"".join(self._on(packet) for packet in self._feeder.feed(data))

    def _on(self, packet: Packet) -> bytes:
        if packet.kind is not Kind.COMMON:
            return self._on_handshake(packet)
        return self._on_common(packet) if self.connected else b""

    def _on_handshake(self, packet: Packet) -> bytes:
        raise NotImplementedError

    def _connect(self) -> None:
        self.connected = True
        self._under_way, self._last_arrived = None, 0

    def _on_common(self, packet: Packet) -> bytes:
        if packet == HEARTBEAT:
            self.heartbeats += 1
        if self._under_way is not None and packet.ack == self._under_way.number:
            self._under_way = None
        return self._on_message(packet) if packet.number else b""

    def _on_message(self, packet: Packet) -> bytes:
        if packet.number != self._last_arrived:  # else it is a repetition
            self._last_arrived = packet.number
            self.messages.append(packet.data)
        return Packet(Kind.COMMON, ack=packet.number).to_bytes()


class Asking(_End):
    """The till's end: it shakes hands first. May be started again after silence."""

    HEARTBEAT_SECONDS = 1.0

    def start(self) -> bytes:
        self.connected = False
        self._under_way, self._repeated = HANDSHAKE, 0
        return HANDSHAKE.to_bytes()

    def _on_handshake(self, packet: Packet) -> bytes:
        if packet.kind is Kind.CONFIRM and not self.connected:
            self._connect()
        return b""


class Answering(_End):
    """The terminal's end: it confirms every handshake, and begins anew with it."""

    HEARTBEAT_SECONDS = 2.0

    def _on_handshake(self, packet: Packet) -> bytes:
        if packet.kind is not Kind.HANDSHAKE:
            return b""
        self._connect()
        return CONFIRM.to_bytes()
