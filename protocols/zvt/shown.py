"""A line's bytes as people may see them: what a message is, never what is in it.

Of an intact APDU the control field is shown, an error it tells, and the numbers of the
BMP fields or TLV objects at its top, never a value: among them are passwords, card
numbers and tracks.
"""

from __future__ import annotations

from protocols.errors import RemoteError
from protocols.shown import ShownLine
from protocols.zvt.apdu import Apdu
from protocols.zvt.frames import CLASSES, SERIAL, Control, Event, Transport
from protocols.zvt.messages import ABORTED

_NAMES = {
    0x0600: "registration",
    0x0602: "log-off",
    0x0610: "turnover totals",
    0x061A: "print configuration",
    0x061B: "set terminal ID",
    0x060F: "completion",
    0x061E: "aborted",
    0x0650: "end of day",
    0x0670: "diagnosis",
    0x0691: "set clock",
    0x0693: "initialisation",
    0x0695: "change password",
    0x06B0: "abort",
    0x06D1: "print line",
    0x06D3: "print text block",
    0x06E0: "display text",
    0x0401: "clock for the till",
    0x040C: "file request",
    0x040F: "status information",
    0x04FF: "intermediate status",
    0x0501: "status enquiry",
    0x0811: "read file",
    0x0813: "change configuration",
    0x0814: "write file",
}


class Shown(ShownLine[Event]):
    """One direction of a ZVT line."""

    def __init__(self, transport: Transport = SERIAL) -> None:
        super().__init__(transport.feeder())

    def event(self, event: Event) -> str:
        if isinstance(event, Control):
            return event.name
        if not event.intact:
            return f"(spoilt message, {len(event.apdu)} B)"
        try:
            return _apdu(Apdu.from_bytes(event.apdu))
        except RemoteError:
            return f"(no APDU, {len(event.apdu)} B)"


def _apdu(apdu: Apdu) -> str:
    if apdu.control >> 8 not in CLASSES:
        return f"(unknown command, {len(apdu.data)} B)"
    name = _NAMES.get(apdu.control)
    told = f"{apdu.name} {name}" if name else apdu.name
    if apdu.control == ABORTED and apdu.data:
        told += f" {apdu.data[0]:02X}"
    return f"{told} | {len(apdu.data)} B" if apdu.data else told
