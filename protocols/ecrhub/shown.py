"""An ECR Hub line as people may see it: kinds, numbers and sizes, never the data."""

from __future__ import annotations

from protocols.ecrhub.frames import HEARTBEAT, Feeder, Kind, Packet
from protocols.shown import ShownLine


class Shown(ShownLine[Packet]):
    """One direction of an ECR Hub line."""

    noun = "packet"

    def __init__(self) -> None:
        super().__init__(Feeder())

    def event(self, event: Packet) -> str:
        if event.kind is not Kind.COMMON:
            return event.kind.name
        if event == HEARTBEAT:
            return "HEARTBEAT"
        told = [f"ack {event.ack}"] if event.ack else []
        if event.number:
            told.append(f"message {event.number}, {len(event.data)} B")
        return " | ".join(told)
