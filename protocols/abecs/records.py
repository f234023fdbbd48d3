"""Blocks of the older commands: fields in fixed places (clauses 3.2 to 3.6).

A record is a dataclass whose ``LAYOUT`` names its fields in the order they are sent.
Text is padded with spaces, which mean nothing at its end. Commands that carry a PIN, a
working key or whole tracks (GPN, DWK, GTK, ENB) have no record: posctl never uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeVar

from protocols.abecs.messages import Command, Response
from protocols.errors import LocalError, RemoteError

Read = TypeVar("Read", bound="Record")


class Place(NamedTuple):
    """One field. ``kind`` is A, S (text), N (digits) or H (bytes in hexadecimal).

    ``digits`` is the number of digits of a length before it (of H in bytes, of others
    in characters); such a field is padded to ``size`` all the same when ``padded``.
    A field without a name is reserved. ``optional`` ones at the end may be missing.
    ``size`` is in characters.
    """

    name: str
    kind: str
    size: int
    digits: int = 0
    padded: bool = True
    optional: bool = False


def _encode(place: Place, value: Any) -> bytes:
    try:
        data: bytes = _ENCODERS[place.kind](value)
    except (AttributeError, TypeError, UnicodeEncodeError):
        raise LocalError(f"{place.name}: not of its kind") from None
    if place.kind == "N" and not data.isdigit():
        raise LocalError(f"{place.name}: digits expected")
    whole = place.kind in "NH" and not place.digits
    if len(data) > place.size or (whole and len(data) != place.size):
        raise LocalError(f"{place.name}: size not allowed")
    return data


_ENCODERS: Mapping[str, Any] = {
    "A": lambda value: value.encode("ascii"),
    "S": lambda value: value.encode("latin-1"),
    "N": lambda value: value.encode("ascii"),
    "H": lambda value: value.hex().upper().encode("ascii"),
}


def _write(place: Place, value: Any) -> bytes:
    data = _encode(place, value)
    width = place.size if place.padded else len(data)
    return _counted(place, len(data)) + data.ljust(width)


def _counted(place: Place, length: int) -> bytes:
    units = length // 2 if place.kind == "H" else length
    return b"%0*d" % (place.digits, units) if place.digits else b""


class _Reader:
    """Takes fields off a block, from its beginning."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self.at = 0

    @property
    def more(self) -> bool:
        return self.at < len(self._block)

    def take(self, size: int, name: str) -> bytes:
        data = self._block[self.at : self.at + size]
        if len(data) < size:
            raise RemoteError("cut off", position=self.at, field=name)
        self.at += size
        return data

    def value(self, place: Place) -> Any:
        size = self._size(place) if place.digits else place.size
        data = self.take(place.size if place.padded else size, place.name)[:size]
        if not place.name:
            return None
        try:
            return _DECODERS[place.kind](data)
        except ValueError:
            raise RemoteError("characters not allowed", field=place.name) from None

    def _size(self, place: Place) -> int:
        length = self.take(place.digits, place.name)
        if not length.isdigit():
            raise RemoteError("length expected", position=self.at, field=place.name)
        size = int(length) * (2 if place.kind == "H" else 1)
        if size > place.size:
            raise RemoteError("too long", position=self.at, field=place.name)
        return size


def _digits(data: bytes) -> str:
    if not data.isdigit():
        raise ValueError
    return data.decode("ascii")


_DECODERS: Mapping[str, Any] = {
    "A": lambda data: data.decode("ascii").rstrip(" "),
    "S": lambda data: data.decode("latin-1").rstrip(" "),
    "N": _digits,
    "H": lambda data: bytes.fromhex(data.decode("ascii")),
}


class Record:
    """A block of a command or an answer."""

    LAYOUT: ClassVar[tuple[Place, ...]] = ()

    def to_block(self) -> bytes:
        """Raises LocalError: a field too long or of another kind."""
        told = vars(self)
        return b"".join(
            _write(place, told[place.name]) if place.name else _reserved(place)
            for place in self.LAYOUT
            if not (place.optional and told[place.name] is None)
        )

    @classmethod
    def from_block(cls: type[Read], block: bytes) -> Read:
        """What follows the last field is left alone.

        Raises:
            RemoteError: a field cut off, or with characters that it may not have.
        """
        reader = _Reader(block)
        found = {
            place.name: reader.value(place)
            for place in cls.LAYOUT
            if reader.more or not place.optional
        }
        found.pop("", None)
        return cls(**found)


def _reserved(place: Place) -> bytes:
    return (b"0" if place.kind == "N" else b" ") * place.size


def only_block(message: Command | Response) -> bytes:
    """The first block. Raises RemoteError when there is none."""
    if not message.blocks:
        raise RemoteError("block missing", field=message.code)
    return message.blocks[0]


@dataclass(frozen=True)
class Acquirer(Record):
    """GIN and GTS ask with an acquirer's index of 2 digits; 00 is the pinpad's own."""

    index: str = "00"
    LAYOUT: ClassVar = (Place("index", "N", 2),)


@dataclass(frozen=True)
class PinpadInformation(Record):
    """GIN's answer for 00. ``contactless`` is C where the pinpad has a reader."""

    vendor: str
    model: str
    contactless: str
    os_version: str
    spec_version: str
    manager_version: str
    serial: str
    LAYOUT: ClassVar = (
        Place("vendor", "A", 20),
        Place("model", "A", 19),
        Place("contactless", "A", 1),
        Place("os_version", "A", 20),
        Place("spec_version", "A", 4),
        Place("manager_version", "A", 16),
        Place("serial", "A", 20),
    )


@dataclass(frozen=True)
class KernelInformation(Record):
    """GIN's answer for 02."""

    network: str
    kernel: str
    app_version: str
    spec_version: str
    LAYOUT: ClassVar = (
        Place("network", "A", 8),
        Place("kernel", "A", 12),
        Place("app_version", "A", 13),
        Place("spec_version", "A", 4),
        Place("", "A", 3),
        Place("", "N", 2),
    )


@dataclass(frozen=True)
class ContactlessInformation(Record):
    """GIN's answer for 03. ``dukpt`` is T when slot 01 holds a key for PINs."""

    network: str
    kernel: str
    contactless: str
    mastercard: str
    visa: str
    app_version: str
    spec_version: str
    dukpt: str
    LAYOUT: ClassVar = (
        Place("network", "A", 6),
        Place("kernel", "A", 4),
        Place("contactless", "A", 4),
        Place("mastercard", "A", 3),
        Place("visa", "A", 3),
        Place("app_version", "A", 13),
        Place("spec_version", "A", 4),
        Place("", "A", 2),
        Place("dukpt", "A", 1),
        Place("", "N", 2),
    )


@dataclass(frozen=True)
class NetworkInformation(Record):
    """GIN's answer for any other acquirer."""

    network: str
    app_version: str
    spec_version: str
    LAYOUT: ClassVar = (
        Place("network", "A", 20),
        Place("app_version", "A", 13),
        Place("spec_version", "A", 4),
        Place("", "A", 3),
        Place("", "N", 2),
    )


@dataclass(frozen=True)
class TwoLines(Record):
    """CLO, DSP, RMC: two lines of 16 characters, already laid out."""

    text: str
    LAYOUT: ClassVar = (Place("text", "S", 32),)


@dataclass(frozen=True)
class FreeText(Record):
    """DEX: lines are split by CR. ``options`` (2.20): 6 digits, alignment and kind."""

    text: str
    options: str | None = None
    LAYOUT: ClassVar = (
        Place("text", "S", 160, digits=3, padded=False),
        Place("options", "N", 6, optional=True),
    )


@dataclass(frozen=True)
class TableVersion(Record):
    """GTS's answer; ten zeros where no table is loaded."""

    version: str
    LAYOUT: ClassVar = (Place("version", "A", 10),)


@dataclass(frozen=True)
class TableLoad(Record):
    """TLI: the version that the tables will have once TLE has come."""

    acquirer: str
    version: str
    LAYOUT: ClassVar = (Place("acquirer", "N", 2), Place("version", "A", 10))


@dataclass(frozen=True)
class PublicKey(Record):
    """OPN, secure: the till's RSA key. ``modulus`` 256 bytes, ``exponent`` 1 to 3."""

    modulus: bytes
    exponent: bytes
    mode: str = "0"
    LAYOUT: ClassVar = (
        Place("mode", "N", 1),
        Place("modulus", "H", 512, digits=3, padded=False),
        Place("exponent", "H", 6, digits=1, padded=False),
    )


@dataclass(frozen=True)
class KeyCryptogram(Record):
    """OPN's answer, secure: KSEC under the till's key, 256 bytes."""

    cryptogram: bytes = field(repr=False)
    LAYOUT: ClassVar = (Place("cryptogram", "H", 512, digits=3, padded=False),)


@dataclass(frozen=True)
class EventsWanted(Record):
    """CKE: 1 for each event waited for, 0 for the others; ``chip`` 2: removal."""

    key: str
    swipe: str
    chip: str
    contactless: str | None = None
    LAYOUT: ClassVar = (
        Place("key", "N", 1),
        Place("swipe", "N", 1),
        Place("chip", "N", 1),
        Place("contactless", "N", 1, optional=True),
    )


KEY, SWIPE, CHIP, CONTACTLESS = "0", "1", "2", "3"


@dataclass(frozen=True)
class KeyPressed(Record):
    """CKE's answer: 00 OK, 04 to 07 F1 to F4, 08 clear, 13 cancel."""

    code: str
    event: str = KEY
    LAYOUT: ClassVar = (Place("event", "N", 1), Place("code", "N", 2))


@dataclass(frozen=True)
class CardSwiped(Record):
    """CKE's answer: whole tracks, without sentinels."""

    track1: str = field(repr=False)
    track2: str = field(repr=False)
    track3: str = field(repr=False)
    event: str = SWIPE
    LAYOUT: ClassVar = (
        Place("event", "N", 1),
        Place("track1", "A", 76, digits=2),
        Place("track2", "A", 37, digits=2),
        Place("track3", "A", 104, digits=3),
    )


@dataclass(frozen=True)
class CardPresence(Record):
    """CKE's answer for a chip (event 2) or contactless (3): 1 there, 0 not."""

    event: str
    present: str
    LAYOUT: ClassVar = (Place("event", "N", 1), Place("present", "N", 1))


CardEvent = KeyPressed | CardSwiped | CardPresence
_EVENTS: Mapping[bytes, type[KeyPressed | CardSwiped | CardPresence]] = {
    b"0": KeyPressed,
    b"1": CardSwiped,
    b"2": CardPresence,
    b"3": CardPresence,
}


def card_event(response: Response) -> CardEvent:
    """What CKE saw. Raises RemoteError: an event that is none, or a bad block."""
    block = only_block(response)
    if block[:1] not in _EVENTS:
        raise RemoteError("event expected", position=0, field="CKE")
    return _EVENTS[block[:1]].from_block(block)


@dataclass(frozen=True)
class CardRequest(Record):
    """GCR. Amount in cents, 12 digits; date YYMMDD, time hhmmss.

    ``applications`` are the references of AID records, 4 characters each; such a list
    wants application type 00. ``contactless`` is 1 or 0; 1 when missing.
    """

    acquirer: str
    app_type: str
    amount: str
    date: str
    time: str
    version: str
    applications: tuple[str, ...] = ()
    contactless: str | None = None
    HEAD: ClassVar = (
        Place("acquirer", "N", 2),
        Place("app_type", "N", 2),
        Place("amount", "N", 12),
        Place("date", "N", 6),
        Place("time", "N", 6),
        Place("version", "A", 10),
    )
    ENTRY: ClassVar = Place("applications", "A", 4)

    def to_block(self) -> bytes:
        """Raises LocalError: a field too long or of another kind."""
        head = b"".join(_write(each, vars(self)[each.name]) for each in self.HEAD)
        listed = b"".join(_write(self.ENTRY, each) for each in self.applications)
        count = Place("applications", "N", 2)
        number = _write(count, f"{len(self.applications):02}")
        last = Place("contactless", "N", 1)
        tail = b"" if self.contactless is None else _write(last, self.contactless)
        return head + number + listed + tail

    @classmethod
    def from_block(cls, block: bytes) -> CardRequest:
        """Raises RemoteError: a field cut off, or with characters not allowed."""
        reader = _Reader(block)
        head = {each.name: reader.value(each) for each in cls.HEAD}
        count = int(reader.value(Place("applications", "N", 2)))
        listed = tuple(reader.value(cls.ENTRY) for _ in range(count))
        last = Place("contactless", "N", 1)
        contactless = reader.value(last) if reader.more else None
        return cls(**head, applications=listed, contactless=contactless)


MAGNETIC, EMV_CHIP, CONTACTLESS_STRIPE, EMV_CONTACTLESS = "00", "03", "05", "06"


@dataclass(frozen=True)
class CardRead(Record):
    """GCR's answer. ``kind`` as above; ``expiry`` YYMMDD. Tracks and PAN in clear.

    The reserved digits are 39, as in both examples printed in clause 3.6.1; its table
    says 29.
    """

    kind: str
    chip_status: str
    app_type: str
    acquirer: str
    aid_record: str
    track1: str = field(repr=False)
    track2: str = field(repr=False)
    track3: str = field(repr=False)
    pan: str = field(repr=False)
    sequence: str
    label: str
    service_code: str
    holder: str = field(repr=False)
    expiry: str = field(repr=False)
    country: str
    acquirer_data: str = field(repr=False)
    LAYOUT: ClassVar = (
        Place("kind", "N", 2),
        Place("chip_status", "N", 1),
        Place("app_type", "N", 2),
        Place("acquirer", "N", 2),
        Place("aid_record", "A", 2),
        Place("track1", "A", 76, digits=2),
        Place("track2", "A", 37, digits=2),
        Place("track3", "A", 104, digits=3),
        Place("pan", "A", 19, digits=2),
        Place("sequence", "N", 2),
        Place("label", "A", 16),
        Place("service_code", "N", 3),
        Place("holder", "A", 26),
        Place("expiry", "N", 6),
        Place("", "N", 39),
        Place("country", "N", 3),
        Place("acquirer_data", "A", 66, digits=3, padded=False),
    )


@dataclass(frozen=True)
class GoOn(Record):
    """GOC's first block. Amounts in cents, 12 digits; limits 4 bytes.

    ``working_key`` is one of the acquirer's, under a master key; 16 zero bytes where
    DUKPT is used (method 3). posctl has none and sends none.
    """

    amount: str
    cash_back: str
    on_exception_list: str
    must_go_online: str
    method: str
    key_index: str
    working_key: bytes = field(repr=False)
    manage_risk: str
    floor_limit: bytes
    target_percent: str
    threshold: bytes
    maximum_percent: str
    acquirer_data: str = ""
    LAYOUT: ClassVar = (
        Place("amount", "N", 12),
        Place("cash_back", "N", 12),
        Place("on_exception_list", "N", 1),
        Place("must_go_online", "N", 1),
        Place("", "N", 1),
        Place("method", "N", 1),
        Place("key_index", "N", 2),
        Place("working_key", "H", 32),
        Place("manage_risk", "N", 1),
        Place("floor_limit", "H", 8),
        Place("target_percent", "N", 2),
        Place("threshold", "H", 8),
        Place("maximum_percent", "N", 2),
        Place("acquirer_data", "S", 32, digits=3, padded=False),
    )


@dataclass(frozen=True)
class Tags(Record):
    """A list of EMV tags, run together: GOC's second and third block, FNC's second."""

    tags: bytes
    LAYOUT: ClassVar = (Place("tags", "H", 256, digits=3, padded=False),)


@dataclass(frozen=True)
class GoneOn(Record):
    """GOC's answer. ``decision``: 0 approved offline, 1 declined, 2 to go online."""

    decision: str
    signature: str
    pin_offline: str
    pin_failures: str
    pin_blocked: str
    pin_online: str
    pin_block: bytes = field(repr=False)
    key_serial: bytes = field(repr=False)
    emv_data: bytes = field(repr=False)
    acquirer_data: str = ""
    LAYOUT: ClassVar = (
        Place("decision", "N", 1),
        Place("signature", "N", 1),
        Place("pin_offline", "N", 1),
        Place("pin_failures", "N", 1),
        Place("pin_blocked", "N", 1),
        Place("pin_online", "N", 1),
        Place("pin_block", "H", 16),
        Place("key_serial", "H", 20),
        Place("emv_data", "H", 512, digits=3, padded=False),
        Place("acquirer_data", "A", 0, digits=3, padded=False),
    )


@dataclass(frozen=True)
class Finish(Record):
    """FNC's first block. ``reached``: 0 the acquirer answered, 1 it did not, 9 it
    approved with another code than 00."""

    reached: str
    code: str
    emv_data: bytes = field(repr=False)
    issuer_mode: str = "0"
    acquirer_data: str = ""
    LAYOUT: ClassVar = (
        Place("reached", "N", 1),
        Place("issuer_mode", "N", 1),
        Place("code", "A", 2),
        Place("emv_data", "H", 512, digits=3, padded=False),
        Place("acquirer_data", "A", 0, digits=3, padded=False),
    )


@dataclass(frozen=True)
class Finished(Record):
    """FNC's answer. ``decision``: 0 approved, 1 the card declined, 2 the acquirer."""

    decision: str
    emv_data: bytes = field(repr=False)
    script_results: bytes = field(repr=False)
    acquirer_data: str = ""
    LAYOUT: ClassVar = (
        Place("decision", "N", 1),
        Place("emv_data", "H", 512, digits=3, padded=False),
        Place("script_results", "H", 100, digits=2, padded=False),
        Place("acquirer_data", "A", 0, digits=3, padded=False),
    )
