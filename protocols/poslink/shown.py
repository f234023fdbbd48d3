"""A line's bytes as people may see them: what a frame is, never what is in it.

Of an intact frame the parts that no number can stand in are shown: status, command,
version, response code, each only in its own form. The other fields are counted. Bytes
that are no intact frame are counted too: nobody knows what is in them (R48: masking
fails closed).
"""

from __future__ import annotations

import re

from protocols.poslink.frames import Control, Event, Feeder, Frame

_FIELD = "\x1c"
_COMMAND, _VERSION = re.compile(r"[A-Z][0-9]{2}"), re.compile(r"[0-9]\.[0-9]{2}")
_STATUS, _CODE = re.compile(r"[0-9]"), re.compile(r"[0-9]{6}")
_REQUEST = (_COMMAND, _VERSION)
_RESPONSE = (_STATUS, _COMMAND, _VERSION, _CODE)


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
    fields = frame.payload.decode("latin-1").split(_FIELD)
    forms = _RESPONSE if _STATUS.fullmatch(fields[0]) else _REQUEST
    head = [_in_form(form, text) for form, text in zip(forms, fields, strict=False)]
    rest = fields[len(forms) :]
    told = [f"{len(rest)} more fields, {sum(map(len, rest))} B"] if rest else []
    return " | ".join(head + told)


def _in_form(form: re.Pattern[str], text: str) -> str:
    return text if form.fullmatch(text) else f"({len(text)} B)"
