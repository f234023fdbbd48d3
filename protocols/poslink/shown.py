"""A line's bytes as people may see them: what a frame is, never what is in it.

Of an intact frame the parts that no number can stand in are shown: status, command,
version, response code, each only in its own form. The other fields are counted.
"""

from __future__ import annotations

import re

from protocols.poslink.frames import Control, Event, Feeder, Frame
from protocols.shown import ShownLine

_FIELD = "\x1c"
_COMMAND, _VERSION = re.compile(r"[A-Z][0-9]{2}"), re.compile(r"[0-9]\.[0-9]{2}")
_STATUS, _CODE = re.compile(r"[0-9]"), re.compile(r"[0-9]{6}")
_REQUEST = (_COMMAND, _VERSION)
_RESPONSE = (_STATUS, _COMMAND, _VERSION, _CODE)


class Shown(ShownLine[Event]):
    """One direction of a POSLink line."""

    noun = "frame"

    def __init__(self) -> None:
        super().__init__(Feeder())

    def event(self, event: Event) -> str:
        if isinstance(event, Control):
            return event.name
        if not event.intact:
            return f"(spoilt frame, {len(event.payload)} B)"
        return _frame(event)


def _frame(frame: Frame) -> str:
    fields = frame.payload.decode("latin-1").split(_FIELD)
    forms = _RESPONSE if _STATUS.fullmatch(fields[0]) else _REQUEST
    head = [_in_form(form, text) for form, text in zip(forms, fields, strict=False)]
    rest = fields[len(forms) :]
    told = [f"{len(rest)} more fields, {sum(map(len, rest))} B"] if rest else []
    return " | ".join(head + told)


def _in_form(form: re.Pattern[str], text: str) -> str:
    return text if form.fullmatch(text) else f"({len(text)} B)"
