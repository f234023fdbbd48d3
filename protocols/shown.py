"""A line's bytes as people may see them: what a message is, never what is in it.

Each protocol says which parts of an intact message no number can stand in; all else is
counted, and so are bytes that are no message: nobody knows what is in them (R48:
masking fails closed).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

E_co = TypeVar("E_co", covariant=True)
E = TypeVar("E")


class Feeder(Protocol[E_co]):
    """Bytes to messages; ``skipped`` counts those that were part of none."""

    @property
    def skipped(self) -> int: ...

    def feed(self, data: bytes) -> Sequence[E_co]: ...


class ShownLine(Generic[E]):
    """One direction of a line, however its bytes are cut. ``noun`` is what the
    protocol calls a message."""

    noun = "message"

    def __init__(self, feeder: Feeder[E]) -> None:
        self._feeder = feeder
        self._told = 0

    def feed(self, data: bytes) -> list[str]:
        """A text for each message and control byte, and for what was skipped."""
        events = self._feeder.feed(data)
        skipped = self._feeder.skipped - self._told
        self._told = self._feeder.skipped
        noise = [f"({skipped} bytes that are no {self.noun})"] if skipped else []
        return noise + [self.event(event) for event in events]

    def event(self, event: E) -> str:
        """What one message may show."""
        raise NotImplementedError
