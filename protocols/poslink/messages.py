"""POSLink messages: what every request and every answer has.

Payload fields are split by FS, parts of a field by US. Request: command, version,
fields. Answer: status, command + 1, version, code, text, fields.
"""

from __future__ import annotations

from dataclasses import dataclass

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
