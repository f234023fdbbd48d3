"""APDUs as ISO/IEC 7816-4 has them, in their short form, and what T=0 adds to them.

A conversation with a card is a generator: it yields commands and is fed responses
(``Steps``), so it needs neither a reader nor an emulator to be tested.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TypeVar

from protocols.errors import LocalError, RemoteError

# Status words by the names of ISO/IEC 7816-4, table 5 and 6.
OK = 0x9000
DEACTIVATED = 0x6283
WRONG_LENGTH = 0x6700
CONDITIONS_NOT_SATISFIED = 0x6985
NOT_ALLOWED_NO_EF = 0x6986
FUNCTION_NOT_SUPPORTED = 0x6A81
NOT_FOUND = 0x6A82
RECORD_NOT_FOUND = 0x6A83
WRONG_P1_P2 = 0x6A86
DATA_NOT_FOUND = 0x6A88
INS_NOT_SUPPORTED = 0x6D00
CLA_NOT_SUPPORTED = 0x6E00

MORE_DATA = 0x61
WRONG_LE = 0x6C

SELECT, READ_RECORD, GET_RESPONSE = 0xA4, 0xB2, 0xC0

_HEADER = 4
_LARGEST_DATA = 255
_ANY_LE = 256
_MOST_ROUNDS = 64


@dataclass(frozen=True)
class Command:
    """A command APDU. ``le`` counts bytes, 1 to 256 (256 is sent as 00)."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    @property
    def kind(self) -> tuple[int, int]:
        """Class and instruction."""
        return self.cla, self.ins

    def to_bytes(self) -> bytes:
        """Case 1 to 4 by what is there (ISO/IEC 7816-3, 12.1).

        Raises:
            LocalError: more than 255 bytes of data, or Le outside 1 to 256.
        """
        if len(self.data) > _LARGEST_DATA:
            raise LocalError("more than 255 bytes do not fit a short APDU")
        if self.le is not None and not 1 <= self.le <= _ANY_LE:
            raise LocalError("Le is 1 to 256 bytes")
        body = bytes([len(self.data)]) + self.data if self.data else b""
        tail = b"" if self.le is None else bytes([self.le % _ANY_LE])
        return bytes([self.cla, self.ins, self.p1, self.p2]) + body + tail

    @classmethod
    def from_bytes(cls, raw: bytes) -> Command:
        """Take a short APDU apart, as a card does.

        Raises:
            RemoteError: the lengths do not fit; extended lengths are not read.
        """
        if len(raw) < _HEADER:
            raise RemoteError("an APDU has 4 bytes or more", position=len(raw))
        cla, ins, p1, p2 = raw[:_HEADER]
        body = raw[_HEADER:]
        if len(body) <= 1:
            return cls(cla, ins, p1, p2, le=(body[0] or _ANY_LE) if body else None)
        size, data, tail = body[0], body[1 : 1 + body[0]], body[1 + body[0] :]
        if size == 0 or len(data) < size or len(tail) > 1:
            raise RemoteError("Lc does not fit the APDU", position=_HEADER)
        le = (tail[0] or _ANY_LE) if tail else None
        return cls(cla, ins, p1, p2, data, le)

    def __repr__(self) -> str:
        return f"Command({self.to_bytes()[:_HEADER].hex().upper()})"


@dataclass(frozen=True)
class Response:
    """A response APDU: data and the status word SW1 SW2."""

    data: bytes
    sw: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> Response:
        """
        Raises:
            RemoteError: under 2 bytes, or SW1 is not 61 to 6F or 90 to 9F
                (ISO/IEC 7816-4, 5.6): what is left of a torn answer.
        """
        if not complete(raw):
            raise RemoteError("no status word at the end of the card's answer")
        return cls(raw[:-2], int.from_bytes(raw[-2:], "big"))

    @property
    def ok(self) -> bool:
        return self.sw == OK

    @property
    def sw1(self) -> int:
        return self.sw >> 8

    @property
    def sw2(self) -> int:
        return self.sw & 0xFF

    def to_bytes(self) -> bytes:
        return self.data + self.sw.to_bytes(2, "big")

    def __repr__(self) -> str:
        return f"Response({len(self.data)} bytes, {self.sw:04X})"


T = TypeVar("T")
Steps = Generator[Command, Response, T]


def complete(raw: bytes) -> bool:
    """Whether an answer ends in a status word that ISO/IEC 7816-4 allows."""
    return len(raw) >= 2 and (0x60 < raw[-2] <= 0x6F or 0x90 <= raw[-2] <= 0x9F)


def as_tpdu(raw: bytes) -> bytes:
    """What T=0 sends of an APDU: case 1 with P3 = 00, case 4 without its Le.

    A reader that works on TPDU level passes these bytes on as they are
    (ISO/IEC 7816-3, 12.2).
    """
    if len(raw) == _HEADER:
        return raw + b"\0"
    has_data = len(raw) > _HEADER + 1
    return raw[: _HEADER + 1 + raw[_HEADER]] if has_data else raw


def get_response(sent: Command, got: Response) -> Command | None:
    """61 xx: the card holds xx more bytes (00: 256) to be fetched."""
    if got.sw1 != MORE_DATA:
        return None
    return Command(0x00, GET_RESPONSE, 0, 0, le=got.sw2 or _ANY_LE)


def correct_le(sent: Command, got: Response) -> Command | None:
    """6C xx: the same command again, with xx as Le."""
    if got.sw1 != WRONG_LE:
        return None
    return replace(sent, le=got.sw2 or _ANY_LE)


PROCESSORS: tuple[Callable[[Command, Response], Command | None], ...] = (
    get_response,
    correct_le,
)


def exchange(command: Command) -> Steps[Response]:
    """One command to its final answer, through every 61 xx and 6C xx.

    Raises:
        RemoteError: a card that never comes to an end.
    """
    data, sent = b"", command
    for _ in range(_MOST_ROUNDS):
        got = yield sent
        data += got.data
        follow = (processor(sent, got) for processor in PROCESSORS)
        following = next((f for f in follow if f is not None), None)
        if following is None:
            return Response(data, got.sw)
        sent = following
    raise RemoteError("the card announces more data without end")


def shown(raw: bytes) -> str:
    """A command as people may see it: its header and lengths; data only of a SELECT,
    which name an application."""
    header = raw[:_HEADER].hex(" ").upper()
    if len(raw) > _HEADER and raw[1] == SELECT:
        return f"{header} {raw[_HEADER:].hex(' ').upper()}"
    return header if len(raw) <= _HEADER else f"{header} + {len(raw) - _HEADER} B"


def shown_answer(raw: bytes) -> str:
    """An answer as people may see it: its status word and length, never its data."""
    if not complete(raw):
        return f"({len(raw)} bytes without a status word)"
    return f"{raw[-2:].hex().upper()}, {len(raw) - 2} B of data"


def run(steps: Steps[T], transmit: Callable[[bytes], bytes]) -> T:
    """Drive a conversation over ``transmit``, which takes and gives raw APDUs.

    Raises:
        RemoteError: from the conversation; and whatever ``transmit`` raises.
    """
    try:
        command = next(steps)
        while True:
            raw = transmit(command.to_bytes())
            command = steps.send(Response.from_bytes(raw))
    except StopIteration as end:
        result: T = end.value
        return result
