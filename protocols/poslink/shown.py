"""A line's bytes as people may see them: whole frames only, numbers masked.

Bytes that are no intact frame are counted and never shown: nobody knows what is in
them (R48: masking fails closed).
"""

from __future__ import annotations

from protocols.poslink.frames import Control, Event, Feeder, Frame
from protocols.sensitive import masked_text

_SEPARATORS = "\x1c\x1d\x1e\x1f"
_LONGEST_FIELD = 24
_KEPT = 8


class Shown:
    """One direction of a line, however its bytes are cut."""

    def __init__(self) -> None:
        self._feeder = Feeder()
        self._told = 0

    def feed(self, data: bytes) -> list[str]:
        """A text for each frame and control byte, and for what was skipped."""
        events = self._feeder.feed(data)
        skipped = self._feeder.skipped - self._told
        self._told = self._feeder.skipped
        noise = [f"({skipped} bytes that are no frame)"] if skipped else []
        return noise + [_event(event) for event in events]


def _event(event: Event) -> str:
    if isinstance(event, Control):
        return event.name
    return _frame(event) if event.intact else f"(spoilt frame, {len(event.payload)} B)"


def _frame(frame: Frame) -> str:
    text = frame.payload.decode("latin-1")
    for separator in _SEPARATORS[1:]:
        text = text.replace(separator, ",")
    return " | ".join(_field(field) for field in text.split(_SEPARATORS[0]))


def _field(text: str) -> str:
    printable = "".join(c if " " <= c <= "~" else "?" for c in text)
    masked = masked_text(printable)
    if len(masked) <= _LONGEST_FIELD:
        return masked
    return f"{masked[:_KEPT]}…({len(masked)})"
