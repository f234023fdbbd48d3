"""What POSLink's commands ask and tell, as typed values.

Field orders are those that public SDKs show; optional ones at the end may be missing.
Of A38 and A39 no public source shows the fields: here a name, and a check sum.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from protocols.errors import LocalError, RemoteError
from protocols.poslink.messages import US, Request, Response

INITIALISE, GET_VARIABLE, SET_VARIABLE = "A00", "A02", "A04"
GET_SIGNATURE, CANCEL, RESET, UPDATE_FILE = "A08", "A14", "A16", "A18"
REBOOT, CHECK_FILE = "A26", "A38"
CLOSE_BATCH, LOCAL_TOTALS, LOCAL_DETAIL = "B00", "R00", "R02"
SALE, REFUND = "01", "02"
"""Types of transactions."""
_NUMBER = re.compile("-?[0-9]{1,12}")
MAX_PIECE = 4000
"""Bytes of a file in one A18, before base64."""


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
    return Request(GET_VARIABLE, (EDC_ALL, *names))


def set_variables(values: Mapping[str, str]) -> Request:
    """A04: up to 5 variables and their values. It changes the terminal's set-up.

    Raises:
        LocalError: none, or more than 5.
    """
    if not 1 <= len(values) <= MAX_VARIABLES:
        raise LocalError("A04 sets 1 to 5 variables")
    pairs = (text for pair in values.items() for text in pair)
    return Request(SET_VARIABLE, (EDC_ALL, *pairs))


def assignments(fields: tuple[str, ...]) -> dict[str, str]:
    """Of an A04. Pairs that are empty count as none.

    Raises:
        RemoteError: no pair, more than 5, a value without a name, or a name twice.
    """
    texts = fields[1:]
    pairs = [(name, _at(texts, 2 * n + 1)) for n, name in enumerate(texts[::2])]
    given = [(name, value) for name, value in pairs if name or value]
    found = dict(given)
    if not 1 <= len(found) == len(given) <= MAX_VARIABLES or "" in found:
        raise RemoteError("1 to 5 names with values expected", field=SET_VARIABLE)
    return found


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
    if not all(map(_NUMBER.fullmatch, parts)):
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


@dataclass(frozen=True)
class DetailWanted:
    """R02: a transaction of the open batch, by ``number`` (from 1) or by what it was
    given; empty: any."""

    number: int | None = None
    transaction_type: str = ""
    card_type: str = ""
    reference: str = ""
    auth_code: str = ""
    ecr_reference: str = ""

    def to_fields(self) -> tuple[str, ...]:
        number = "" if self.number is None else str(self.number)
        first = (EDC_ALL, self.transaction_type, self.card_type, number)
        return (*first, self.reference, self.auth_code, self.ecr_reference)

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> DetailWanted:
        """Raises RemoteError: a record number that is none."""
        texts = [_at(fields, n) for n in range(7)]
        number = _number(texts[3], "record number") if texts[3] else None
        return cls(number, texts[1], texts[2], *texts[4:])


@dataclass(frozen=True)
class Detail:
    """R03: one of ``total`` transactions. ``amount`` in fen; a refund's is positive,
    its type tells it. ``account`` as the terminal shows it, masked."""

    host: HostInformation
    total: int
    number: int
    transaction_type: str
    amount: int
    account: str = ""
    reference: str = ""
    time: str = ""

    def to_fields(self) -> tuple[str, ...]:
        numbers = (str(self.total), str(self.number))
        kinds = (EDC_ALL, self.transaction_type, "")
        trace = US.join((str(self.number), self.reference, self.time))
        amounts = (str(self.amount), self.account, trace)
        return (self.host.to_field(), *numbers, *kinds, *amounts)

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> Detail:
        """Raises RemoteError: fewer than nine fields, or a number that is none."""
        if len(fields) < 9:
            raise RemoteError("nine fields expected", field="R03")
        trace = fields[8].split(US)
        return cls(
            host=HostInformation.from_field(fields[0]),
            total=_number(fields[1], "records"),
            number=_number(fields[2], "record number"),
            transaction_type=fields[4],
            amount=_number(fields[6].split(US)[0], "amount"),
            account=fields[7].split(US)[0],
            reference=_at(tuple(trace), 1),
            time=_at(tuple(trace), 2),
        )


@dataclass(frozen=True)
class SignatureWanted:
    """A08: a part of the signature that was taken last, from ``offset`` in characters;
    ``length`` 0: what the terminal gives at once."""

    offset: int = 0
    length: int = 0

    def to_fields(self) -> tuple[str, ...]:
        return (str(self.offset), str(self.length) if self.length else "")

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> SignatureWanted:
        """Raises RemoteError: a number that is none, or below nothing."""
        numbers = [_number(_at(fields, n), "offset, length") for n in (0, 1)]
        if min(numbers) < 0:
            raise RemoteError("below nothing", field=GET_SIGNATURE)
        return cls(*numbers)


@dataclass(frozen=True)
class Signature:
    """A09: ``data`` is this part of ``total`` characters."""

    total: int
    data: str

    def to_fields(self) -> tuple[str, ...]:
        return (str(self.total), str(len(self.data)), self.data)

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> Signature:
        """Raises RemoteError: lengths that are none, or not those of the data."""
        total, length = (_number(_at(fields, n), "length") for n in (0, 1))
        data = _at(fields, 2)
        if len(data) != length or length > total:
            raise RemoteError("length is not that of the data", field="A09")
        return cls(total, data)


@dataclass(frozen=True)
class FilePiece:
    """A18: bytes of a resource file at ``offset``, at most 4000; ``last`` ends it.
    ``kind`` is a digit: 0 a package of resources, 1 of an offline terminal."""

    offset: int
    data: bytes
    last: bool
    kind: str = "0"

    def to_fields(self) -> tuple[str, ...]:
        text = base64.b64encode(self.data).decode()
        return (str(self.offset), text, "0" if self.last else "1", self.kind, "0")

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> FilePiece:
        """Raises RemoteError: an offset that is none, no base64, too much of it, or
        neither last nor not."""
        offset, more = _number(_at(fields, 0), "offset"), _at(fields, 2)
        try:
            data = base64.b64decode(_at(fields, 1), validate=True)
        except (binascii.Error, ValueError):
            raise RemoteError("base64 expected", field=UPDATE_FILE) from None
        if offset < 0 or len(data) > MAX_PIECE or more not in ("0", "1"):
            raise RemoteError("a piece of a file expected", field=UPDATE_FILE)
        return cls(offset, data, more == "0", _at(fields, 3) or "0")


def pieces(data: bytes, kind: str = "0") -> Iterator[FilePiece]:
    """A file, cut for A18; an empty one is one empty piece."""
    for at in range(0, max(len(data), 1), MAX_PIECE):
        end = at + MAX_PIECE
        yield FilePiece(at, data[at:end], last=end >= len(data), kind=kind)


@dataclass(frozen=True)
class FileCheck:
    """A39: the check sum of a file, in the terminal's own form."""

    checksum: str

    def to_fields(self) -> tuple[str, ...]:
        return (self.checksum,)

    @classmethod
    def from_fields(cls, fields: tuple[str, ...]) -> FileCheck:
        """Raises RemoteError: there is none."""
        if not _at(fields, 0):
            raise RemoteError("check sum missing", field="A39")
        return cls(fields[0])
