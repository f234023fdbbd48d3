"""ZVT messages as typed values, ``to_apdu`` and ``from_apdu`` of each.

Section numbers are those of PA00P015 13.08. The terminal is the PT, the till the ECR.
Texts travel in CP437, the character set that every PT has (chapter 15.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Self

from protocols.errors import LocalError, RemoteError
from protocols.tlv import Tlv
from protocols.zvt.apdu import (
    ACCEPTED,
    REFUSED_CLASS,
    Apdu,
    at_path,
    bcd,
    counted,
    digits,
    inside,
    read_container,
    read_fields,
    var,
    write_container,
    write_fields,
)

REGISTRATION, LOG_OFF, TURNOVER_TOTALS = 0x0600, 0x0602, 0x0610
PRINT_CONFIGURATION, SET_TERMINAL_ID = 0x061A, 0x061B
COMPLETION, ABORTED, ABORT = 0x060F, 0x061E, 0x06B0
END_OF_DAY, DIAGNOSIS, SET_CLOCK = 0x0650, 0x0670, 0x0691
INITIALISATION, CHANGE_PASSWORD, DISPLAY_TEXT = 0x0693, 0x0695, 0x06E0
PRINT_LINE, PRINT_TEXT_BLOCK = 0x06D1, 0x06D3
STATUS_ENQUIRY, STATUS_INFORMATION, INTERMEDIATE_STATUS = 0x0501, 0x040F, 0x04FF
ECR_CLOCK, FILE_REQUEST = 0x0401, 0x040C
READ_FILE, CHANGE_CONFIGURATION, WRITE_FILE = 0x0811, 0x0813, 0x0814
WITHOUT_COMPLETION = frozenset(
    {LOG_OFF, ABORT, DISPLAY_TEXT, PRINT_LINE, PRINT_TEXT_BLOCK}
)
"""Commands of the ECR that end with the PT's 80 00."""

ENCODING = "cp437"
EURO, YUAN = "0978", "0156"
_AMOUNT, _TRACE, _TIME, _DAY, _DATE = 0x04, 0x0B, 0x0C, 0x0D, 0xAA
_CONTAINER, _SERVICE, _STATUS, _RESULT, _TID = 0x06, 0x03, 0x19, 0x27, 0x29
_CURRENCY, _SINGLE = 0x49, 0x60
_TEXT, _ATTRIBUTE, _BLOCK, _FILE_ID, _START = 0x07, 0x09, 0x1C, 0x1D, 0x1E
_SIZE, _DISPLAY, _PRINT, _FILE, _CLOCK = 0x1F00, 0x24, 0x25, 0x2D, 0x34
_DAY_TAG, _TIME_TAG, _TID_TAG, _DEVICE = 0x1F0E, 0x1F0F, 0x1F44, 0xE4
_MODEL, _VERSION, _SERIAL, _STATE = 0x1F40, 0x1F41, 0x1F42, 0x1F43
_FORCED, _DIAGNOSIS_TYPE, _PERMITTED = 0x1F26, 0x1B, 0x26
_PASSWORD = 3

Objects = tuple[Tlv, ...]


@dataclass(frozen=True)
class Message:
    """``CONTROL`` is its control field; ``data`` and ``_read`` are its layout."""

    CONTROL: ClassVar[int]

    def data(self) -> bytes:
        """Raises LocalError: a value that its field cannot hold."""
        return b""

    @classmethod
    def _read(cls, data: bytes) -> Self:
        return cls()

    def to_apdu(self) -> Apdu:
        """Raises LocalError: a value that its field cannot hold."""
        return Apdu(self.CONTROL, self.data())

    @classmethod
    def from_apdu(cls, apdu: Apdu) -> Self:
        """Raises RemoteError: another message, or data that breaks its layout."""
        if apdu.control != cls.CONTROL:
            raise RemoteError("another message expected", field=apdu.name)
        return cls._read(apdu.data)


# --- parts ----------------------------------------------------------------------------


def _secret(digits_: str) -> bytes:
    if len(digits_) != 2 * _PASSWORD:
        raise LocalError("a password has 6 digits")
    return bcd(digits_, _PASSWORD)


def _split_password(data: bytes) -> tuple[str, bytes]:
    if len(data) < _PASSWORD:
        raise RemoteError("password of 3 bytes expected")
    return digits(data[:_PASSWORD], "password"), data[_PASSWORD:]


def _contained(objects: Objects | None) -> dict[int, bytes]:
    return {} if objects is None else {_CONTAINER: write_container(objects)}


def _objects(fields: dict[int, bytes]) -> Objects | None:
    held = fields.get(_CONTAINER)
    return None if held is None else tuple(read_container(held))


def _is_container(data: bytes) -> bool:
    """Whether this is a whole container and nothing else: an optional value before one
    may begin with 06 too."""
    try:
        objects = _objects(read_fields(data)) if data[:1] == b"\x06" else None
    except RemoteError:
        return False
    return objects is not None


def _one(fields: dict[int, bytes], bmp: int) -> int | None:
    """A field of one byte."""
    return fields[bmp][0] if bmp in fields else None


def _number(fields: dict[int, bytes], bmp: int) -> str | None:
    return digits(fields[bmp], f"{bmp:02X}") if bmp in fields else None


def _time_of(text: str, form: str, name: str) -> datetime:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        raise RemoteError("date and time expected", field=name) from None


def _text(data: bytes) -> str:
    return data.decode(ENCODING)


def _encoded(text: str) -> bytes:
    try:
        return text.encode(ENCODING)
    except UnicodeEncodeError:
        raise LocalError("text that no ZVT terminal can show") from None


def _plain(present: dict[int, bytes | None]) -> dict[int, bytes]:
    return {bmp: value for bmp, value in present.items() if value is not None}


def _byte(value: int | None) -> bytes | None:
    return None if value is None else _one_byte(value)


def _one_byte(value: int) -> bytes:
    if not 0 <= value <= 0xFF:
        raise LocalError("a number of one byte expected")
    return bytes([value])


# --- commands of the ECR (chapter 2) --------------------------------------------------


@dataclass(frozen=True)
class _WithPassword(Message):
    password: str = field(repr=False)

    def data(self) -> bytes:
        return _secret(self.password)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        password, rest = _split_password(data)
        if rest:
            raise RemoteError("password only expected", position=_PASSWORD)
        return cls(password)


class Initialisation(_WithPassword):
    """2.18: the PT calls its host."""

    CONTROL = INITIALISATION


class TurnoverTotals(_WithPassword):
    """2.43: what the turnover store holds comes as StatusInformation."""

    CONTROL = TURNOVER_TOTALS


class LogOff(Message):
    """2.24: the config byte is 86 again, no TLV containers any more; always 80 00."""

    CONTROL = LOG_OFF


class PrintConfiguration(Message):
    """2.45."""

    CONTROL = PRINT_CONFIGURATION


# Bits of the config byte (2.1, table 1).
PRINTS_PAYMENTS, PRINTS_ADMINISTRATION, INTERMEDIATE = 0x02, 0x04, 0x08
PAYS, ADMINISTERS, PRINT_LINES = 0x10, 0x20, 0x80
AFTER_LOG_OFF = PRINT_LINES | PRINTS_ADMINISTRATION | PRINTS_PAYMENTS


@dataclass(frozen=True)
class Registration(Message):
    """2.1. ``config`` says who prints and who controls; a service byte or a container
    needs a currency before it. An empty container lets the PT send containers."""

    CONTROL = REGISTRATION
    password: str = field(repr=False)
    config: int
    currency: str | None = None
    service: int | None = None
    container: Objects | None = None

    def data(self) -> bytes:
        rest = _plain({_SERVICE: _byte(self.service)}) | _contained(self.container)
        if rest and self.currency is None:
            raise LocalError("service byte and container need a currency")
        currency = b"" if self.currency is None else bcd(self.currency, 2)
        head = _secret(self.password) + _one_byte(self.config)
        return head + currency + write_fields(rest)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        password, rest = _split_password(data)
        if not rest or len(rest) == 2:
            raise RemoteError("config byte, currency of 2 bytes expected")
        fields = read_fields(rest[3:])
        currency = digits(rest[1:3], "currency") if len(rest) > 1 else None
        service = _one(fields, _SERVICE)
        return cls(password, rest[0], currency, service, _objects(fields))


def permits(container: Objects | None, control: int) -> bool:
    """Whether a registration's list of commands (tags 26, 0A) has this one.

    Raises RemoteError: an object cut short.
    """
    held = at_path(write_container(container or ()), _PERMITTED)
    listed = {item.value for item in read_container(held or b"")}
    return control.to_bytes(2, "big") in listed


# Bits of the service byte of 05 01 (2.56, table 12).
NO_VERSION, MORE_STATUS = 0x02, 0x04


@dataclass(frozen=True)
class StatusEnquiry(Message):
    """2.56. A service byte or a container needs a password before it."""

    CONTROL = STATUS_ENQUIRY
    password: str | None = field(default=None, repr=False)
    service: int | None = None
    container: Objects | None = None

    def data(self) -> bytes:
        rest = _plain({_SERVICE: _byte(self.service)}) | _contained(self.container)
        if self.password is None:
            if rest:
                raise LocalError("service byte and container need a password")
            return b""
        return _secret(self.password) + write_fields(rest)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        if not data:
            return cls()
        password, rest = _split_password(data)
        fields = read_fields(rest)
        return cls(password, _one(fields, _SERVICE), _objects(fields))


@dataclass(frozen=True)
class Diagnosis(Message):
    """2.17. ``kind``: 1 line, 2 extended, 3 configuration (tag 1B)."""

    CONTROL = DIAGNOSIS
    kind: int | None = None

    def data(self) -> bytes:
        kind = _byte(self.kind)
        objects = None if kind is None else (Tlv(_DIAGNOSIS_TYPE, kind),)
        return write_fields(_contained(objects))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        container = read_fields(data).get(_CONTAINER, b"")
        kind = at_path(container, _DIAGNOSIS_TYPE)
        return cls(int.from_bytes(kind, "big") if kind else None)


@dataclass(frozen=True)
class EndOfDay(Message):
    """2.16. ``forced`` is tag 1F26."""

    CONTROL = END_OF_DAY
    password: str = field(repr=False)
    forced: bool = False

    def data(self) -> bytes:
        objects = (Tlv(_FORCED, b"\x01"),) if self.forced else None
        return _secret(self.password) + write_fields(_contained(objects))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        password, rest = _split_password(data)
        container = read_fields(rest).get(_CONTAINER, b"")
        return cls(password, at_path(container, _FORCED) == b"\x01")


@dataclass(frozen=True)
class SetTerminalId(Message):
    """2.46: only while the turnover store is empty. Without a TID it is reset."""

    CONTROL = SET_TERMINAL_ID
    password: str = field(repr=False)
    tid: str | None = None

    def data(self) -> bytes:
        tid = None if self.tid is None else bcd(self.tid, 4)
        return _secret(self.password) + write_fields(_plain({_TID: tid}))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        password, rest = _split_password(data)
        return cls(password, _number(read_fields(rest), _TID))


@dataclass(frozen=True)
class SetClock(Message):
    """2.25: date and time of the PT, to the second, 2000 to 2068."""

    CONTROL = SET_CLOCK
    password: str = field(repr=False)
    time: datetime

    def data(self) -> bytes:
        return _secret(self.password) + _clock_fields(self.time)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        password, rest = _split_password(data)
        return cls(password, _read_clock(rest))


def _clock_fields(time: datetime) -> bytes:
    day, hour = bytes.fromhex(f"{time:%y%m%d}"), bytes.fromhex(f"{time:%H%M%S}")
    return write_fields({_DATE: day, _TIME: hour})


def _read_clock(data: bytes) -> datetime:
    fields = read_fields(data)
    day, hour = _number(fields, _DATE), _number(fields, _TIME)
    return _time_of(f"{day}{hour}", "%y%m%d%H%M%S", "AA, 0C")


@dataclass(frozen=True)
class ChangePassword(Message):
    """2.49."""

    CONTROL = CHANGE_PASSWORD
    old: str = field(repr=False)
    new: str = field(repr=False)

    def data(self) -> bytes:
        return _secret(self.old) + _secret(self.new)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        old, rest = _split_password(data)
        new, rest = _split_password(rest)
        if rest:
            raise RemoteError("two passwords expected", position=2 * _PASSWORD)
        return cls(old, new)


class Abort(Message):
    """2.23: of the ECR; its two optional fields are about card readers."""

    CONTROL = ABORT


@dataclass(frozen=True)
class DisplayText(Message):
    """2.26. ``seconds`` 0 stays for ever; at most 8 lines."""

    CONTROL = DISPLAY_TEXT
    lines: tuple[str, ...] = ()
    seconds: int | None = None
    beeps: int | None = None

    def data(self) -> bytes:
        if len(self.lines) > 8:
            raise LocalError("8 lines at most")
        lines = {0xF1 + at: _encoded(text) for at, text in enumerate(self.lines)}
        head = _plain({0xF0: _byte(self.seconds)})
        return write_fields(head | lines | _plain({0xF9: _byte(self.beeps)}))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        fields = read_fields(data)
        last = max((bmp for bmp in fields if 0xF1 <= bmp <= 0xF8), default=0xF0)
        lines = tuple(_text(fields.get(bmp, b"")) for bmp in range(0xF1, last + 1))
        return cls(lines, _one(fields, 0xF0), _one(fields, 0xF9))


@dataclass(frozen=True)
class File:
    """Tag 2D and what it may hold: ``block`` 1C, ``file_id`` 1D, ``start`` 1E (offset
    in bytes), ``size`` 1F00 (of the whole file, in bytes)."""

    file_id: bytes | None = None
    start: int | None = None
    size: int | None = None
    block: bytes | None = field(default=None, repr=False)

    def to_tlv(self) -> Tlv:
        held = {
            _BLOCK: self.block,
            _FILE_ID: self.file_id,
            _START: _offset(self.start),
            _SIZE: _offset(self.size),
        }
        return inside(_FILE, *(Tlv(t, v) for t, v in held.items() if v is not None))

    @classmethod
    def from_value(cls, value: bytes) -> File:
        """Raises RemoteError: an object cut short."""
        held = {item.tag: item.value for item in read_container(value)}
        start, size = held.get(_START), held.get(_SIZE)
        return cls(
            held.get(_FILE_ID),
            None if start is None else int.from_bytes(start, "big"),
            None if size is None else int.from_bytes(size, "big"),
            held.get(_BLOCK),
        )


def _offset(value: int | None) -> bytes | None:
    if value is not None and not 0 <= value < 1 << 32:
        raise LocalError("an offset of 4 bytes expected")
    return None if value is None else value.to_bytes(4, "big")


def _files(fields: dict[int, bytes]) -> tuple[File, ...]:
    objects = _objects(fields) or ()
    return tuple(File.from_value(item.value) for item in objects if item.tag == _FILE)


@dataclass(frozen=True)
class _WithFiles(Message):
    files: tuple[File, ...]

    def data(self) -> bytes:
        return write_fields(_contained(tuple(item.to_tlv() for item in self.files)))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        files = _files(read_fields(data))
        if not files:
            raise RemoteError("tag 2D expected", field="06")
        return cls(files)


class ReadFile(_WithFiles):
    """2.38.1: each with its ID. The blocks come as StatusInformation (``FileSent``)."""

    CONTROL = READ_FILE


class FileSent(_WithFiles):
    """2.38.2: a StatusInformation that holds blocks of files."""

    CONTROL = STATUS_INFORMATION


class ChangeConfiguration(_WithFiles):
    """2.40: each with a block, whose meaning is its manufacturer's."""

    CONTROL = CHANGE_CONFIGURATION


class FileRequest(_WithFiles):
    """2.41.2, of the PT: which block it wants next."""

    CONTROL = FILE_REQUEST


class FileBlock(_WithFiles):
    """2.41.3: the ECR's 80 00 to a FileRequest, with that block."""

    CONTROL = ACCEPTED


@dataclass(frozen=True)
class WriteFile(Message):
    """2.41.1: each with its ID and size."""

    CONTROL = WRITE_FILE
    password: str = field(repr=False)
    files: tuple[File, ...]

    def data(self) -> bytes:
        objects = tuple(item.to_tlv() for item in self.files)
        return _secret(self.password) + write_fields(_contained(objects))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        password, rest = _split_password(data)
        return cls(password, _files(read_fields(rest)))


# --- answers and what the PT says when it leads (chapter 3) ---------------------------


def accepted(data: bytes = b"") -> Apdu:
    """80 00."""
    return Apdu(ACCEPTED, data)


def refused(error: int, data: bytes = b"") -> Apdu:
    """84 xx, an error of chapter 10."""
    return Apdu(REFUSED_CLASS << 8 | error, data)


def refusal(answer: Apdu) -> int:
    """The error of an answer, 0 when it is positive. A registration with another
    currency is refused 84 1E, and the error stands in the data (2.1)."""
    in_data = answer.error == ABORTED & 0xFF and answer.data
    return answer.data[0] if in_data else answer.error


OK, FUNCTION_NOT_POSSIBLE, NOT_REGISTERED = 0x00, 0x83, 0x6B
WRONG_CURRENCY, PLEASE_WAIT, BROKEN = 0x6F, 0x9C, 0x9A
NO_END_OF_DAY, NO_RESPONSE, NO_CONNECTION, SYSTEM_ERROR = 0x77, 0xA1, 0xA3, 0xFF
NOT_AUTHENTIC, BATCH_OPEN = 0x75, 0xF0
ERRORS = {
    FUNCTION_NOT_POSSIBLE: "function not possible",
    NOT_REGISTERED: "not registered",
    0x6A: "turnover store full",
    0x6C: "aborted or timed out",
    WRONG_CURRENCY: "currency not supported",
    NO_END_OF_DAY: "end of day not possible",
    0x7D: "communication module does not answer",
    0x85: "key missing",
    BROKEN: "message not understood",
    0x9B: "dial-up failed",
    PLEASE_WAIT: "busy",
    0xA0: "receiver not ready",
    NO_RESPONSE: "host does not answer",
    NO_CONNECTION: "no connection to the host",
    0xC2: "diagnosis required",
    0xCC: "printer not ready",
    NOT_AUTHENTIC: "the host's answer is not authentic",
    BATCH_OPEN: "an end of day is due first",
    SYSTEM_ERROR: "system error",
}
"""In our words, those of chapter 10 that these commands can meet."""
HOST_ERRORS = range(0x01, 0x64)
"""The host's own codes."""


@dataclass(frozen=True)
class Completion(Message):
    """3.2, of every command but 05 01; after a registration with the TID (2.1)."""

    CONTROL = COMPLETION
    result: int | None = None
    status: int | None = None
    tid: str | None = None
    currency: str | None = None
    container: Objects | None = None

    def data(self) -> bytes:
        numbers = {
            _TID: None if self.tid is None else bcd(self.tid, 4),
            _CURRENCY: None if self.currency is None else bcd(self.currency, 2),
        }
        head = {_RESULT: _byte(self.result), _STATUS: _byte(self.status)}
        return write_fields(_plain(head | numbers) | _contained(self.container))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        fields = read_fields(data)
        return cls(
            _one(fields, _RESULT),
            _one(fields, _STATUS),
            _number(fields, _TID),
            _number(fields, _CURRENCY),
            _objects(fields),
        )


FRAUD, NO_KEYS = 0x03, 0x02
"""Device states (tag 1F43)."""


@dataclass(frozen=True)
class StatusReport(Message):
    """2.56.5, the completion of 05 01. ``state`` is a code of chapter 11, 0 is ready;
    the rest comes in the container, when the service byte asked for it."""

    CONTROL = COMPLETION
    state: int
    version: str | None = None
    container: Objects | None = None

    def data(self) -> bytes:
        text = b"" if self.version is None else var(_encoded(self.version), 3)
        return text + _one_byte(self.state) + write_fields(_contained(self.container))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        version, rest = _split_version(data)
        if not rest:
            raise RemoteError("terminal status missing", field="06 0F")
        return cls(rest[0], version, _objects(read_fields(rest[1:])))

    def _held(self, *path: int) -> bytes | None:
        return at_path(write_container(self.container or ()), *path)

    @property
    def tid(self) -> str | None:
        """Raises RemoteError, as ``clock`` and ``serial``: other than digits."""
        held = self._held(_TID_TAG)
        return digits(held, "1F44") if held else None

    @property
    def serial(self) -> str | None:
        """BCD: an odd number of digits ends in F."""
        held = self._held(_DEVICE, _SERIAL)
        if not held:
            return None
        text = held.hex().removesuffix("f")
        if not text.isdecimal():
            raise RemoteError("decimal digits expected", field="1F42")
        return text

    @property
    def model(self) -> str | None:
        held = self._held(_DEVICE, _MODEL)
        return _text(held) if held else None

    @property
    def firmware(self) -> str | None:
        held = self._held(_DEVICE, _VERSION)
        return _text(held) if held else None

    @property
    def device_state(self) -> int | None:
        held = self._held(_DEVICE, _STATE)
        return held[0] if held else None

    @property
    def clock(self) -> datetime | None:
        day, time = self._held(_CLOCK, _DAY_TAG), self._held(_CLOCK, _TIME_TAG)
        if not day or not time:
            return None
        return _time_of(day.hex() + time.hex(), "%Y%m%d%H%M%S", "34")


def status_objects(
    *, tid: str, serial: str, model: str, version: str, state: int, clock: datetime
) -> Objects:
    """What a StatusReport may tell. Raises LocalError: no digits, or too many."""
    number = serial + "F" * (len(serial) % 2)
    if not serial.isdecimal() or not serial.isascii():
        raise LocalError("a serial number is of digits here")
    device = inside(
        _DEVICE,
        Tlv(_MODEL, _encoded(model)),
        Tlv(_VERSION, _encoded(version)),
        Tlv(_SERIAL, bytes.fromhex(number)),
        Tlv(_STATE, bytes([state])),
    )
    day = Tlv(_DAY_TAG, bytes.fromhex(f"{clock:%Y%m%d}"))
    time = Tlv(_TIME_TAG, bytes.fromhex(f"{clock:%H%M%S}"))
    return (Tlv(_TID_TAG, bcd(tid, 4)), device, inside(_CLOCK, day, time))


def _split_version(data: bytes) -> tuple[str | None, bytes]:
    """A version begins with its length FxFyFz. States F0 and F6 exist too, but no
    container begins with F, so three such bytes can be no state."""
    try:
        end = 3 + counted(data[:3], 3, "version")
    except RemoteError:
        return None, data
    return _text(data[3:end]), data[end:]


@dataclass(frozen=True)
class Aborted(Message):
    """3.3, of the PT: the command failed. ``error`` is of chapter 10."""

    CONTROL = ABORTED
    error: int
    currency: str | None = None
    container: Objects | None = None

    def data(self) -> bytes:
        currency = b"" if self.currency is None else bcd(self.currency, 2)
        fields = write_fields(_contained(self.container))
        return _one_byte(self.error) + currency + fields

    @classmethod
    def _read(cls, data: bytes) -> Self:
        if not data:
            raise RemoteError("result code missing", field="06 1E")
        error, rest = data[0], data[1:]
        if error != WRONG_CURRENCY or not rest or _is_container(rest):
            return cls(error, None, _objects(read_fields(rest)))
        currency = digits(rest[:2], "currency")
        if len(currency) < 4:
            raise RemoteError("currency of 2 bytes expected", field="06 1E")
        return cls(error, currency, _objects(read_fields(rest[2:])))


CARD_GROUPS = ("girocard", "JCB", "Eurocard", "Amex", "VISA", "Diners", "others")
"""Of BMP 60, in its order."""


@dataclass(frozen=True)
class SingleTotals:
    """BMP 60 (3.1.3). ``groups``: count (at most 255) and amount in minor units, in
    the order of ``CARD_GROUPS``; ``first`` and ``last`` are receipt numbers."""

    first: int
    last: int
    groups: tuple[tuple[int, int], ...]

    def to_bytes(self) -> bytes:
        """Raises LocalError: a number that its place cannot hold."""
        if len(self.groups) != len(CARD_GROUPS):
            raise LocalError("7 groups of cards expected")
        if not all(0 <= count <= 0xFF for count, _amount in self.groups):
            raise LocalError("a group of cards has 255 receipts at most")
        held = [bytes([count]) + bcd(str(amount), 6) for count, amount in self.groups]
        receipts = bcd(str(self.first), 2) + bcd(str(self.last), 2)
        return receipts + b"".join(held)

    @classmethod
    def from_bytes(cls, data: bytes) -> SingleTotals:
        """Raises RemoteError: another size, or other than digits."""
        if len(data) != 4 + 7 * len(CARD_GROUPS):
            raise RemoteError("53 bytes expected", field="60")
        groups = tuple(
            (data[at], int(digits(data[at + 1 : at + 7], "60")))
            for at in range(4, len(data), 7)
        )
        first, last = digits(data[:2], "60"), digits(data[2:4], "60")
        return cls(int(first), int(last), groups)

    @property
    def count(self) -> int:
        return sum(count for count, _amount in self.groups)


@dataclass(frozen=True)
class StatusInformation(Message):
    """3.1.3, after End-of-Day and Send Turnover Totals. ``amount`` in minor units,
    never below zero; ``trace`` 6 digits; ``day`` MMDD, ``time`` hhmmss."""

    CONTROL = STATUS_INFORMATION
    result: int | None = None
    amount: int | None = None
    totals: SingleTotals | None = None
    trace: str | None = None
    day: str | None = None
    time: str | None = None
    tid: str | None = None
    currency: str | None = None

    def data(self) -> bytes:
        amount = None if self.amount is None else bcd(str(self.amount), 6)
        head = {_RESULT: _byte(self.result), _AMOUNT: amount}
        texts = {
            _TRACE: (self.trace, 3),
            _TIME: (self.time, 3),
            _DAY: (self.day, 2),
            _TID: (self.tid, 4),
            _CURRENCY: (self.currency, 2),
        }
        numbers = {
            b: bcd(text, n) for b, (text, n) in texts.items() if text is not None
        }
        single = None if self.totals is None else self.totals.to_bytes()
        return write_fields(_plain(head) | numbers | _plain({_SINGLE: single}))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        fields = read_fields(data)
        amount = _number(fields, _AMOUNT)
        single = fields.get(_SINGLE)
        return cls(
            _one(fields, _RESULT),
            None if amount is None else int(amount),
            None if single is None else SingleTotals.from_bytes(single),
            _number(fields, _TRACE),
            _number(fields, _DAY),
            _number(fields, _TIME),
            _number(fields, _TID),
            _number(fields, _CURRENCY),
        )


@dataclass(frozen=True)
class EcrClock(Message):
    """3.4: the date that a diagnosis brought from the host, for the ECR."""

    CONTROL = ECR_CLOCK
    time: datetime

    def data(self) -> bytes:
        return _clock_fields(self.time)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        return cls(_read_clock(data))


LAST_LINE = 0x81
"""An attribute with bit 8, other than 80, ends a receipt (3.5)."""


@dataclass(frozen=True)
class PrintLine(Message):
    """3.5: one line for the ECR's printer. Without text it is a line feed."""

    CONTROL = PRINT_LINE
    text: str = ""
    attribute: int = 0

    def data(self) -> bytes:
        return _one_byte(self.attribute) + _encoded(self.text)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        if not data:
            raise RemoteError("attribute missing", field="06 D1")
        return cls(_text(data[1:]), data[0])


@dataclass(frozen=True)
class PrintTextBlock(Message):
    """3.6: lines for the ECR's printer; ``attribute`` ends the receipt."""

    CONTROL = PRINT_TEXT_BLOCK
    lines: tuple[str, ...]
    attribute: int | None = None

    def data(self) -> bytes:
        lines = [Tlv(_TEXT, _encoded(line)) for line in self.lines]
        end = _byte(self.attribute)
        last = [] if end is None else [Tlv(_ATTRIBUTE, end)]
        return write_fields(_contained((inside(_PRINT, *lines, *last),)))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        """Attributes before the end only dress lines: they are left out."""
        container = read_fields(data).get(_CONTAINER, b"")
        held = at_path(container, _PRINT)
        if held is None:
            raise RemoteError("tag 25 expected", field="06")
        objects = read_container(held)
        lines = tuple(_text(item.value) for item in objects if item.tag == _TEXT)
        last = objects[-1] if objects else None
        ends = last is not None and last.tag == _ATTRIBUTE and len(last.value) == 1
        return cls(lines, last.value[0] if ends and last else None)


@dataclass(frozen=True)
class IntermediateStatus(Message):
    """3.7. ``minutes`` sets T4 anew. It should stand before a container, but the
    frames printed in 5.1 have one without it: both are read."""

    CONTROL = INTERMEDIATE_STATUS
    status: int
    minutes: int | None = None
    container: Objects | None = None

    def data(self) -> bytes:
        minutes = b"" if self.minutes is None else bcd(str(self.minutes), 1)
        return (
            _one_byte(self.status) + minutes + write_fields(_contained(self.container))
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        if not data:
            raise RemoteError("status missing", field="04 FF")
        status, rest = data[0], data[1:]
        if not rest or _is_container(rest):
            return cls(status, None, _objects(read_fields(rest)))
        minutes = int(digits(rest[:1], "timeout"))
        return cls(status, minutes, _objects(read_fields(rest[1:])))

    @property
    def lines(self) -> tuple[str, ...]:
        """Texts for the ECR's display. Raises RemoteError: an object cut short."""
        held = at_path(write_container(self.container or ()), _DISPLAY)
        objects = read_container(held or b"")
        return tuple(_text(item.value) for item in objects if item.tag == _TEXT)


def display_texts(*lines: str) -> Objects:
    """Tag 24. Raises LocalError: a text that CP437 has not."""
    return (inside(_DISPLAY, *(Tlv(_TEXT, _encoded(line)) for line in lines)),)
