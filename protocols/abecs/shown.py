"""A line's bytes as people may see them: what a packet is, never what is in it.

Of an intact packet are shown: command, status by name, the names of parameters, sizes.
Values are counted, never shown: they may be a PAN, a track, a text about the customer.
"""

from __future__ import annotations

from protocols.abecs.frames import Control, Event, Feeder
from protocols.abecs.messages import COMMANDS, STATUSES, Command, Response
from protocols.abecs.parameters import name_of, unpack
from protocols.abecs.secure import is_sealed
from protocols.errors import RemoteError
from protocols.shown import ShownLine

_ANSWERS_ONLY = frozenset({"NTM", "ERR"})


class Shown(ShownLine[Event]):
    """One direction of an ABECS line.

    Args:
        answers: what the pinpad says, or else what the till says; a packet does not
            tell by itself.
    """

    noun = "packet"

    def __init__(self, *, answers: bool) -> None:
        super().__init__(Feeder())
        self._answers = answers

    def event(self, event: Event) -> str:
        if isinstance(event, Control):
            return event.name
        if not event.intact:
            return f"(spoilt packet, {len(event.data)} B)"
        if is_sealed(event.data):
            return f"(sealed, {len(event.data)} B)"
        return self._message(event.data)

    def _message(self, data: bytes) -> str:
        try:
            if self._answers:
                return _response(Response.from_bytes(data))
            return _command(Command.from_bytes(data))
        except RemoteError:
            return f"(packet not readable, {len(data)} B)"


def _command(command: Command) -> str:
    return " | ".join([_code(command.code), *_contents(command)])


def _response(response: Response) -> str:
    status = STATUSES.get(response.status, "(status)")
    return " | ".join([_code(response.code), status, *_contents(response)])


def _code(code: str) -> str:
    return code if code in COMMANDS or code in _ANSWERS_ONLY else "(command)"


def _contents(message: Command | Response) -> list[str]:
    if message.code in COMMANDS and COMMANDS[message.code].tagged:
        try:
            return [_name(each.identifier) for each in unpack(message.blocks)]
        except RemoteError:
            pass
    return [f"{len(block)} B" for block in message.blocks]


def _name(identifier: int) -> str:
    name = name_of(identifier)
    return name if "_" in name else "(parameter)"
