"""Reading who a payment card is: the conversation of EMV Books 1 and 3.

Selection, GET PROCESSING OPTIONS and READ RECORD, and no further: no VERIFY, no
GENERATE AC, nothing that costs the card a counter or the holder money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from protocols import tlv
from protocols.apdu import (
    DEACTIVATED,
    FUNCTION_NOT_SUPPORTED,
    READ_RECORD,
    SELECT,
    Command,
    Response,
    Steps,
    exchange,
)
from protocols.carddata import (
    AID,
    KINDS,
    Application,
    CardData,
    Facts,
    Kind,
    covers_holder,
)
from protocols.cardproof import PROVEN, UNPREDICTABLE, Keys, authenticate
from protocols.dol import fill_dol
from protocols.errors import RemoteError

PSE, PPSE = b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"
GET_PROCESSING_OPTIONS = 0xA8

DF_NAME, DIRECTORY_ENTRY, RECORD, DIRECTORY_SFI = 0x84, 0x61, 0x70, 0x88
PDOL, PDOL_DATA = 0x9F38, 0x83
FORMAT_1, FORMAT_2, AIP, AFL = 0x80, 0x77, 0x82, 0x94

_LAST_DIRECTORY_SFI = 10
_LAST_SFI = 30
_MOST_RECORDS = 100

# Tried one by one on a card without a PSE. The foreign ones tell "not a UnionPay
# card" from "not a payment card".
KNOWN_AIDS = (
    *KINDS,
    "A000000333010108",  # UnionPay, United States common debit
    "A0000000031010",  # Visa
    "A0000000041010",  # Mastercard
    "A0000000043060",  # Maestro
    "A00000002501",  # American Express
    "A0000000651010",  # JCB
    "A0000001523010",  # Diners Club, Discover
)

# What is taken when a card has several: never by label. A kind that is known, even
# to be refused, is better evidence than one that is not (R20).
_CHOICE = (
    Kind.DEBIT,
    Kind.CREDIT,
    Kind.QUASI_CREDIT,
    Kind.ELECTRONIC_CASH,
    Kind.UNKNOWN,
)


Random = Callable[[int], bytes]


class NotPayment(RemoteError):
    """The card answers, but holds no payment application that we know."""


class ForeignCard(RemoteError):
    """Another scheme's: no more of it is read. ``aid`` in hexadecimal."""

    def __init__(self, aid: str) -> None:
        super().__init__("another scheme's card")
        self.aid = aid


class CardBlocked(RemoteError):
    """The issuer has blocked the card or its application (6A81, 6283)."""


# -- what the terminal tells the card -------------------------------------------

_TERMINAL = {
    0x5F2A: bytes.fromhex("0156"),  # currency: CNY
    0x9F1A: bytes.fromhex("0156"),  # country: China
    0x9C: b"\x31",  # balance inquiry: nothing is to be paid
    0x9F02: bytes(6),
    0x9F03: bytes(6),
    0x9F33: bytes.fromhex("E0F8C8"),
    0x9F35: b"\x22",
    0x95: bytes(5),
    0x9F7A: b"\x00",  # no electronic cash: a read must not spend it
}


# -- the conversation -----------------------------------------------------------


def read_card(*, today: date, keys: Keys, random: Random) -> Steps[CardData]:
    """Select the best application, read it, and let it prove itself.

    Args:
        today: for cards that ask (9A), and for certificates.
        random: gives as many unpredictable bytes as it is asked for.

    Raises:
        NotPayment: no application that we know.
        ForeignCard: an application, but none of UnionPay's.
        CardBlocked: blocked by the issuer.
        RemoteError: anything that EMV does not allow; never with card data in it.
    """
    listed = yield from _directory()
    candidates = listed or (yield from _by_known_aids())
    chosen, fci = yield from _select_best(candidates)
    if not chosen.unionpay:
        raise ForeignCard(chosen.aid)
    values = {**_TERMINAL, 0x9A: _bcd(today), UNPREDICTABLE: random(4)}
    options = yield from _processing_options(fci, values)
    facts = Facts()
    facts.take(fci)
    facts.take(options)
    static = b""
    for place in _records(_file_locator(options)):
        record = yield from _read_record(place.sfi, place.number)
        inner = _inner(place, record)
        if place.sfi <= _LAST_DIRECTORY_SFI:
            facts.take(record)
        static += inner if place.signed else b""
    card = facts.card_data(chosen, tuple(candidates))
    proof = yield from authenticate(
        facts.evidence(chosen, static), keys, today=today, unpredictable=random(4)
    )
    covered = proof.grade in PROVEN and covers_holder(static)
    return replace(card, proof=proof, holder_signed=covered)


def _bcd(day: date) -> bytes:
    return bytes.fromhex(f"{day:%y%m%d}")


def _inner(place: Place, record: bytes) -> bytes:
    """What of a record is signed: of an EMV file the objects without their template,
    of an issuer's own file all (EMV Book 3, 10.3)."""
    if place.sfi > _LAST_DIRECTORY_SFI:
        return record
    outer = tlv.read(record)
    if len(outer) != 1 or outer[0].tag != RECORD:
        where = f"SFI {place.sfi}"
        raise RemoteError("a record without template 70", field=where)
    return outer[0].value


def list_contactless() -> Steps[list[Application]]:
    """What a card on the antenna says it is; it is only selected, as reading it could
    spend its electronic cash (R23).

    Raises:
        RemoteError: a directory that cannot be read.
    """
    got = yield from _select(PPSE)
    return list(_entries(got.data)) if got.ok else []


def _select(name: bytes) -> Steps[Response]:
    return (yield from exchange(Command(0x00, SELECT, 0x04, 0x00, name, le=256)))


def _read_record(sfi: int, number: int) -> Steps[bytes]:
    command = Command(0x00, READ_RECORD, number, sfi << 3 | 0x04, le=256)
    got = yield from exchange(command)
    return _data(got, "READ RECORD")


def _data(got: Response, what: str) -> bytes:
    if not got.ok:
        raise RemoteError(f"the card answers {got.sw:04X} to {what}")
    return got.data


def _directory() -> Steps[list[Application]]:
    """The applications that the PSE lists; none when there is no PSE, or one with an
    error in it (EMV Book 1, 12.3.2)."""
    got = yield from _select(PSE)
    if got.sw == FUNCTION_NOT_SUPPORTED:
        raise CardBlocked("the card is blocked")
    if not got.ok:
        return []
    try:
        return (yield from _listed(got))
    except RemoteError:
        return []


def _listed(got: Response) -> Steps[list[Application]]:
    """Raises RemoteError."""
    sfi = tlv.find(got.data, DIRECTORY_SFI)
    if sfi is None or len(sfi) != 1 or not 1 <= sfi[0] <= _LAST_DIRECTORY_SFI:
        raise RemoteError("the PSE names no directory file", field="88")
    found: list[Application] = []
    for number in range(1, _MOST_RECORDS):
        command = Command(0x00, READ_RECORD, number, sfi[0] << 3 | 0x04, le=256)
        record = yield from exchange(command)
        if not record.ok:
            return found
        found += _entries(record.data)
    raise RemoteError("the directory does not end")


def _entries(record: bytes) -> Iterator[Application]:
    for item in tlv.walk(record):
        if item.tag != DIRECTORY_ENTRY:
            continue
        parts = {part.tag: part.value for part in tlv.read(item.value)}
        if AID in parts:
            yield Application.from_objects(parts[AID], parts)


def _by_known_aids() -> Steps[list[Application]]:
    """For a card without a PSE: which known AIDs it holds (EMV Book 1, 12.3.3)."""
    found: list[Application] = []
    blocked = False
    for aid in KNOWN_AIDS:
        got = yield from _select(bytes.fromhex(aid))
        blocked |= got.sw in (DEACTIVATED, FUNCTION_NOT_SUPPORTED)
        if got.ok:
            parts = {item.tag: item.value for item in tlv.walk(got.data)}
            found.append(Application.from_objects(parts.get(DF_NAME, b""), parts))
    if blocked and not found:
        raise CardBlocked("the card or its application is blocked")
    if not found:
        raise NotPayment("no payment application on this card")
    return found


def _rank(application: Application) -> tuple[bool, int, int]:
    kind = _CHOICE.index(application.kind)
    return not application.unionpay, kind, application.priority or 16


def _select_best(candidates: list[Application]) -> Steps[tuple[Application, bytes]]:
    """The first that can be selected: UnionPay debit first, then by priority. The
    directory's name of it may be cut short; its own is whole.

    Of UnionPay's a blocked one ends the search: the next best is another account.
    """
    blocked = False
    for application in sorted(candidates, key=_rank):
        got = yield from _select(bytes.fromhex(application.aid))
        blocked |= got.sw in (DEACTIVATED, FUNCTION_NOT_SUPPORTED)
        if blocked and application.unionpay:
            break
        if not got.ok:
            continue
        name = (tlv.find(got.data, DF_NAME) or b"").hex().upper()
        if not name.startswith(application.aid):
            raise RemoteError("another application answered", field=f"{DF_NAME:X}")
        return replace(application, aid=name), got.data
    if blocked:
        raise CardBlocked("the card or its application is blocked")
    raise NotPayment("no application of this card can be selected")


def _processing_options(fci: bytes, values: dict[int, bytes]) -> Steps[bytes]:
    """AIP and AFL, always as objects: format 1 is turned into format 2."""
    asked = fill_dol(tlv.find(fci, PDOL) or b"", values)
    command = tlv.write(PDOL_DATA, asked)
    got = yield from exchange(
        Command(0x80, GET_PROCESSING_OPTIONS, 0, 0, command, le=256)
    )
    outer = tlv.read(_data(got, "GET PROCESSING OPTIONS"))
    if len(outer) != 1 or outer[0].tag not in (FORMAT_1, FORMAT_2):
        raise RemoteError("processing options in neither format")
    value = outer[0].value
    if outer[0].tag == FORMAT_2:
        if len(tlv.find(value, AIP) or b"") != 2:
            raise RemoteError("two bytes expected", field=f"{AIP:X}")
        return value
    return tlv.write(AIP, value[:2]) + tlv.write(AFL, value[2:])


def _file_locator(options: bytes) -> bytes:
    locator = tlv.find(options, AFL)
    if not locator or len(locator) % 4:
        raise RemoteError("groups of 4 bytes expected", field=f"{AFL:X}")
    return locator


class Place(NamedTuple):
    """Of a record; ``signed``: the card's signature covers it."""

    sfi: int
    number: int
    signed: bool


def _records(locator: bytes) -> list[Place]:
    """Every record (EMV Book 3, 10.2)."""
    records: list[Place] = []
    for at in range(0, len(locator), 4):
        sfi, low = divmod(locator[at], 8)
        first, last, signed = locator[at + 1 : at + 4]
        fits = 1 <= first <= last and signed <= last - first + 1
        if low or not 1 <= sfi <= _LAST_SFI or not fits:
            raise RemoteError("no such records", position=at, field=f"{AFL:X}")
        end = first + signed
        records += [Place(sfi, n, n < end) for n in range(first, last + 1)]
    if len(records) > _MOST_RECORDS:
        raise RemoteError("too many records", field=f"{AFL:X}")
    return records
