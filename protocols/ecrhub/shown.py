"""An ECR Hub line as people may see it: kinds, numbers and sizes, never the data."""

from __future__ import annotations

from protocols.ecrhub.frames import HEARTBEAT, Feeder, Kind, Packet


class Shown:
    """One direction of a line, however its bytes are cut."""

    def __init__(self) -> None:
        self._feeder = Feeder()
        self._told = 0

    def feed(self, data: bytes) -> list[str]:
        """A text for each packet, and for what was skipped."""
        packets = self._feeder.feed(data)
        skipped = self._feeder.skipped - self._told
        self._told = self._feeder.skipped
        noise = [f"({skipped} bytes that are no packet)"] if skipped else []
        return noise + [_packet(packet) for packet in packets]


def _packet(packet: Packet) -> str:
    if packet.kind is not Kind.COMMON:
        return packet.kind.name
    if packet == HEARTBEAT:
        return "HEARTBEAT"
    told = [f"ack {packet.ack}"] if packet.ack else []
    if packet.number:
        told.append(f"message {packet.number}, {len(packet.data)} B")
    return " | ".join(told)
