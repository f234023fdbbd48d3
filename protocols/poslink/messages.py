"""POSLink messages as typed values.

Payload fields are split by FS, parts of a field by US. Request: command, version,
fields. Answer: status, command + 1, version, code, text, fields. Field orders are
those that public SDKs show; optional ones at the end may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from protocols.errors import LocalError, RemoteError
from protocols.poslink.frames import ACK, EOT, ETX, NAK, STX

FS, US = "\x1c", "\x1f"
VERSION = "1.28"
OK = "000000"
_ENCODING = "gb18030"
_CONTROLS = frozenset(map(chr, (STX, ETX, EOT, ACK, NAK)))


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
