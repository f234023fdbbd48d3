"""PAX POSLink: frames, both sides of the exchange, the messages posctl uses.

Frame: STX | payload | ETX | LRC, the LRC being the XOR of payload and ETX. Payload
fields are split by FS, parts of a field by US. Request payload: command, version,
fields. Answer payload: status, command + 1, version, code, text, fields. Field orders
are those that public SDKs show; optional ones at the end may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import reduce
from operator import xor
from typing import ClassVar

from protocols.errors import LocalError, RemoteError

STX, ETX, EOT, ACK, NAK, FS, US = 0x02, 0x03, 0x04, 0x06, 0x15, "\x1c", "\x1f"
VERSION = "1.28"
OK = "000000"
MAX_TRIES = 3
MAX_PAYLOAD = 4096
_ENCODING = "gb18030"
_CONTROLS = frozenset(map(chr, (STX, ETX, EOT, ACK, NAK)))


class Control(IntEnum):
    """A single byte between frames."""

    ACK = ACK
    NAK = NAK
    EOT = EOT


def lrc(data: bytes) -> int:
    """XOR of the bytes."""
    return reduce(xor, data, 0)


def frame(payload: bytes) -> bytes:
    """Raises LocalError when the payload holds STX or ETX, or is too long."""
    if STX in payload or ETX in payload or len(payload) > MAX_PAYLOAD:
        raise LocalError("payload cannot be framed")
    body = payload + bytes([ETX])
    return bytes([STX]) + body + bytes([lrc(body)])


@dataclass(frozen=True)
class Frame:
    """A whole payload; ``intact`` says whether its LRC held and it was not too long."""

    payload: bytes = field(repr=False)
    intact: bool = True


Event = Frame | Control


class Feeder:
    """Bytes in, frames and control bytes out, however the bytes are cut.

    ``skipped`` counts bytes that belong to no frame. A new STX inside a frame starts
    anew, since STX cannot be payload. At most ``MAX_PAYLOAD`` bytes are held.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._payload: bytearray | None = None
        self._complete = False

    def feed(self, data: bytes) -> list[Event]:
        found = (self._byte(byte) for byte in data)
        return [event for event in found if event is not None]

    def _byte(self, byte: int) -> Event | None:
        if self._complete and self._payload is not None:
            return self._finish(bytes(self._payload), byte)
        if byte == STX:
            self.skipped += len(self._payload) + 1 if self._payload is not None else 0
            self._payload = bytearray()
        elif self._payload is not None:
            return self._inside(self._payload, byte)
        elif byte in (ACK, NAK, EOT):
            return Control(byte)
        else:
            self.skipped += 1
        return None

    def _inside(self, payload: bytearray, byte: int) -> Event | None:
        if byte == ETX:
            self._complete = True
        elif len(payload) == MAX_PAYLOAD:
            self._payload = None
            return Frame(b"", intact=False)
        else:
            payload.append(byte)
        return None

    def _finish(self, payload: bytes, check: int) -> Frame:
        self._payload, self._complete = None, False
        return Frame(payload, intact=lrc(payload) ^ ETX == check)


def _join(parts: tuple[str, ...]) -> bytes:
    text = FS.join(parts)
    if not _CONTROLS.isdisjoint(text):
        raise LocalError("control character inside a field")
    return text.encode(_ENCODING)


def _split(payload: bytes, least: int) -> list[str]:
    try:
        parts = payload.decode(_ENCODING).split(FS)
    except UnicodeDecodeError as error:
        raise RemoteError("text not readable", position=error.start) from None
    if len(parts) < least:
        raise RemoteError(f"{len(parts)} fields, at least {least} expected")
    return parts


@dataclass(frozen=True)
class Request:
    """Command as in ``B00``, then its fields."""

    command: str
    fields: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The payload. Raises LocalError when a field holds a control character."""
        return _join((self.command, VERSION, *self.fields))

    @classmethod
    def from_bytes(cls, payload: bytes) -> Request:
        """Raises RemoteError when command or version is missing."""
        command, _version, *fields = _split(payload, 2)
        return cls(command, tuple(fields))


@dataclass(frozen=True)
class Response:
    """``command`` is the request's plus one; ``code`` has 6 digits, 000000 is good."""

    command: str
    code: str
    text: str
    fields: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The payload. Raises LocalError when a field holds a control character."""
        return _join(("0", self.command, VERSION, self.code, self.text, *self.fields))

    @classmethod
    def from_bytes(cls, payload: bytes) -> Response:
        """Raises RemoteError when one of the first five fields is missing."""
        _status, command, _version, code, text, *fields = _split(payload, 5)
        return cls(command, code, text, tuple(fields))


def answer_name(command: str) -> str:
    """A00 -> A01.

    Raises:
        LocalError: not a letter and two digits.
    """
    if len(command) != 3 or not command[1:].isdecimal():
        raise LocalError("command: a letter and two digits expected")
    return f"{command[0]}{int(command[1:]) + 1:02}"


class Asking:
    """The asking side of one exchange. No clock here: the caller keeps the deadline.

    ``start`` gives the first bytes to send, ``receive`` more of them; after each,
    look at ``response``. One EOT before anything else is a leftover of the last
    exchange and is skipped.
    """

    def __init__(self, request: Request) -> None:
        self.response: Response | None = None
        self.acknowledged = False
        self._expected = answer_name(request.command)
        self._frame = frame(request.to_bytes())
        self._feeder = Feeder()
        self._sent = self._spoilt = 0
        self._heard = False

    @property
    def skipped(self) -> int:
        return self._feeder.skipped

    def start(self) -> bytes:
        self._sent = 1
        return self._frame

    def receive(self, data: bytes) -> bytes:
        """What to send now, maybe nothing.

        Raises:
            Ended: the session is over without an answer; holds bytes to send.
            RemoteError: an intact answer that no rule allows.
        """
        out = b""
        for event in self._feeder.feed(data):
            if self.response is None:
                out += self._on(event)
                self._heard = True
        return out

    def _on(self, event: Event) -> bytes:
        if isinstance(event, Frame):
            return self._on_frame(event)
        if event is Control.NAK:
            return self._repeat()
        if event is Control.EOT and self._heard:
            raise Ended("terminal ended the session")
        self.acknowledged |= event is Control.ACK
        return b""

    def _repeat(self) -> bytes:
        if self._sent == MAX_TRIES:
            raise Ended("request refused 3 times", farewell=bytes([EOT]))
        self._sent += 1
        return self._frame

    def _on_frame(self, arrived: Frame) -> bytes:
        if not arrived.intact:
            self._spoilt += 1
            if self._spoilt == MAX_TRIES:
                raise Ended("answer spoilt 3 times", farewell=bytes([EOT]))
            return bytes([NAK])
        response = Response.from_bytes(arrived.payload)
        if response.command != self._expected:
            raise RemoteError("answer to another command", field="command")
        self.response = response
        return bytes([ACK])


class Ended(RemoteError):
    """The exchange ended without an answer; ``farewell`` is still to be sent."""

    def __init__(self, reason: str, farewell: bytes = b"") -> None:
        super().__init__(reason)
        self.farewell = farewell


class Answering:
    """The terminal's side of a line, for exchange after exchange.

    ``receive`` gives bytes to send and, at most, one request to work on; hand its
    answer to ``respond``. While a request is worked on, further ones get NAK; A14
    (cancel) is acknowledged and has no answer.
    """

    CANCEL: ClassVar[str] = "A14"

    def __init__(self) -> None:
        self._feeder = Feeder()
        self._busy = False
        self._waiting: bytes | None = None
        self._sent = self._spoilt = 0

    def receive(self, data: bytes) -> tuple[bytes, Request | None]:
        out, asked = b"", None
        for event in self._feeder.feed(data):
            if isinstance(event, Control):
                out += self._on_control(event)
                continue
            reply, request = self._on_frame(event)
            out += reply
            asked = asked or request
        return out, asked

    def respond(self, response: Response) -> bytes:
        """Bytes to send; they are repeated on NAK, up to 3 times in all."""
        self._busy, self._sent = False, 1
        self._waiting = frame(response.to_bytes())
        return self._waiting

    def _on_control(self, control: Control) -> bytes:
        if self._waiting is None:
            return b""
        if control is Control.NAK and self._sent < MAX_TRIES:
            self._sent += 1
            return self._waiting
        self._waiting = None
        return bytes([EOT]) if control is Control.NAK else b""

    def _on_frame(self, arrived: Frame) -> tuple[bytes, Request | None]:
        try:
            request = Request.from_bytes(arrived.payload) if arrived.intact else None
        except RemoteError:
            request = None
        if request is None:
            return self._spoilt_frame(), None
        self._spoilt = 0
        if request.command == self.CANCEL:
            return bytes([ACK]), None
        if self._busy:
            return bytes([NAK]), None
        self._busy, self._waiting = True, None
        return bytes([ACK]), request

    def _spoilt_frame(self) -> bytes:
        self._spoilt = (self._spoilt + 1) % MAX_TRIES
        return bytes([NAK if self._spoilt else EOT])


def _at(fields: tuple[str, ...], index: int) -> str:
    return fields[index] if index < len(fields) else ""


@dataclass(frozen=True)
class Initialised:
    """A01: who the terminal is. It holds no TID and no MID."""

    serial: str
    model: str = ""
    os_version: str = ""
    mac_address: str = ""
    lines: str = ""
    columns: str = ""
    additional: str = ""
    touch_screen: str = ""
    hardware: str = ""
    activated: str = ""
    app_name: str = ""
    app_version: str = ""

    def to_fields(self) -> tuple[str, ...]:
        return tuple(vars(self).values())

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> Initialised:
        """Raises RemoteError when the serial number is missing."""
        if not _at(fields, 0):
            raise RemoteError("serial number missing", field="A01")
        return cls(*fields[: len(cls.__dataclass_fields__)])


MAX_VARIABLES = 5
EDC_ALL = "00"


def get_variables(names: tuple[str, ...]) -> Request:
    """A02: up to 5 variables of the terminal's application.

    Raises:
        LocalError: none, or more than 5.
    """
    if not 1 <= len(names) <= MAX_VARIABLES:
        raise LocalError("A02 asks for 1 to 5 variables")
    return Request("A02", (EDC_ALL, *names))


def variables(response: Response, names: tuple[str, ...]) -> dict[str, str]:
    """Values of an A03 by name; empty where the terminal has no such variable.

    Raises:
        RemoteError: fewer values than names.
    """
    if len(response.fields) < len(names):
        raise RemoteError("fewer values than names", field="A03")
    return dict(zip(names, response.fields, strict=False))


def _number(text: str, name: str) -> int:
    """Sum over the EDC types that US splits; an empty part counts as nothing."""
    parts = [part or "0" for part in text.split(US)]
    if not all(part.removeprefix("-").isdecimal() for part in parts):
        raise RemoteError("number expected", field=name)
    return sum(map(int, parts))


@dataclass(frozen=True)
class HostInformation:
    """The parts of B01's first field; ``code`` is the host's own response code."""

    code: str = ""
    text: str = ""
    auth_code: str = ""
    reference: str = ""
    trace: str = ""
    batch: str = ""

    def to_field(self) -> str:
        return US.join(vars(self).values())

    @classmethod
    def from_field(cls, text: str) -> HostInformation:
        return cls(*text.split(US)[: len(cls.__dataclass_fields__)])


@dataclass(frozen=True)
class BatchClosed:
    """B01. ``count`` and ``amount`` (fen) are sums over the EDC types."""

    host: HostInformation
    count: int
    amount: int
    time: datetime
    tid: str
    mid: str

    def to_fields(self) -> tuple[str, ...]:
        stamp = f"{self.time:%Y%m%d%H%M%S}"
        totals = (str(self.count), str(self.amount))
        return (self.host.to_field(), *totals, stamp, self.tid, self.mid)

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> BatchClosed:
        """Raises RemoteError: a count, amount or time that is none."""
        return cls(
            HostInformation.from_field(_at(fields, 0)),
            _number(_at(fields, 1), "total count"),
            _number(_at(fields, 2), "total amount"),
            _time(_at(fields, 3)),
            _at(fields, 4),
            _at(fields, 5),
        )


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S")
    except ValueError:
        raise RemoteError("time expected, YYYYMMDDhhmmss", field="time") from None


@dataclass(frozen=True)
class LocalTotals:
    """R01: what lies in the open batch. ``amount`` in fen, refunds taken off."""

    count: int
    amount: int

    def to_fields(self) -> tuple[str, ...]:
        return (EDC_ALL, str(self.count), str(self.amount))

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> LocalTotals:
        """Raises RemoteError: a field missing, or a count or amount that is none."""
        if len(fields) < 3:
            raise RemoteError("EDC type, counts, amounts expected", field="R01")
        return cls(_number(fields[1], "counts"), _number(fields[2], "amounts"))
