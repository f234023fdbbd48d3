"""What a payment card says of itself: the objects of EMV Book 3 and PBOC 3.0.

Values of tag 57 (as good as a CVN) and 9F61 (ID number) never leave this module:
of the first only the digits before the separator are kept, of the second nothing.
Python cannot wipe ``bytes``; not keeping them is what is done.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from protocols import tlv
from protocols.cardproof import NO_PROOF, OBJECTS, Evidence, Proof
from protocols.errors import RemoteError
from protocols.sensitive import CardNumber, masked_text

UNIONPAY_RID = "A000000333"

AID, LABEL, PRIORITY, PREFERRED_NAME = 0x4F, 0x50, 0x87, 0x9F12
PAN, TRACK_2, EXPIRY, HOLDER, SEQUENCE = 0x5A, 0x57, 0x5F24, 0x5F20, 0x5F34
HOLDER_EXTENDED, PAR, TOKEN_REQUESTOR = 0x9F0B, 0x9F24, 0x9F19

_AID_SIZES = range(5, 17)
_LONGEST_LABEL = 16
_PADDING = b"\0 "


class Kind(enum.Enum):
    """What an application stands for, told by its AID alone (R20)."""

    DEBIT = "debit"
    CREDIT = "credit"
    QUASI_CREDIT = "quasi-credit"
    ELECTRONIC_CASH = "electronic cash"
    UNKNOWN = "unknown"


KINDS = {
    "A000000333010101": Kind.DEBIT,
    "A000000333010102": Kind.CREDIT,
    "A000000333010103": Kind.QUASI_CREDIT,
    "A000000333010106": Kind.ELECTRONIC_CASH,
}


@dataclass(frozen=True)
class Application:
    """One application of a card: AID in hexadecimal, label, priority (0: none)."""

    aid: str
    label: str
    priority: int = 0

    @classmethod
    def from_objects(cls, aid: bytes, objects: dict[int, bytes]) -> Application:
        """
        Raises:
            RemoteError: an AID of other than 5 to 16 bytes.
        """
        if len(aid) not in _AID_SIZES:
            raise RemoteError("an AID has 5 to 16 bytes", field=f"{AID:X}")
        label = objects.get(LABEL) or objects.get(PREFERRED_NAME) or b""
        priority = objects.get(PRIORITY, b"")[:1] or b"\0"
        return cls(aid.hex().upper(), _text(label[:_LONGEST_LABEL]), priority[0] & 0x0F)

    @property
    def kind(self) -> Kind:
        return KINDS.get(self.aid[:16], Kind.UNKNOWN)

    @property
    def unionpay(self) -> bool:
        return self.aid.startswith(UNIONPAY_RID)


@dataclass(frozen=True)
class CardData:
    """What a payment card says of itself.

    ``expiry`` is (year, month), for a check in memory and never for a store;
    ``holder_joined`` marks a name put together of 5F20 and 9F0B (low confidence),
    ``holder_signed`` one that the chip's proof covers;
    ``token`` a device's stand-in for a card; ``luhn_ok`` is False until checked;
    ``proof`` says how far the chip is proved.
    """

    aid: str
    label: str
    number: CardNumber
    sequence: int | None
    holder: str = field(repr=False)
    expiry: tuple[int, int] | None = field(repr=False)
    applications: tuple[Application, ...] = ()
    token: bool = False
    holder_joined: bool = False
    holder_signed: bool = False
    luhn_ok: bool = False
    proof: Proof = NO_PROOF

    @property
    def application(self) -> Application:
        return Application(self.aid, self.label)

    @property
    def kind(self) -> Kind:
        return self.application.kind


class Facts:
    """Gathers the objects that are looked at; the others are dropped at once.

    Raises:
        RemoteError: objects that contradict each other or their format.
    """

    _wanted = frozenset({PAN, EXPIRY, HOLDER, HOLDER_EXTENDED, SEQUENCE}) | OBJECTS

    def __init__(self) -> None:
        self._values: dict[int, bytes] = {}
        self._before_separator: str | None = None
        self._token = False

    def take(self, data: bytes) -> None:
        for item in tlv.walk(data):
            self._token |= item.tag in (PAR, TOKEN_REQUESTOR)
            if item.tag == TRACK_2:
                self._keep_track(_before_separator(item.value))
            if item.tag in self._wanted:
                self._keep(item)

    def evidence(self, chosen: Application, static: bytes) -> Evidence:
        """What a proof is about; ``static``: the records that are signed."""
        objects = {t: v for t, v in self._values.items() if t in OBJECTS}
        digits = self._number().reveal()
        return Evidence(chosen.aid[: len(UNIONPAY_RID)], digits, objects, static)

    def _keep_track(self, digits: str) -> None:
        if self._before_separator not in (None, digits):
            raise RemoteError("two different values", field=f"{TRACK_2:X}")
        self._before_separator = digits

    def _keep(self, item: tlv.Tlv) -> None:
        if self._values.setdefault(item.tag, item.value) != item.value:
            raise RemoteError("two different values", field=f"{item.tag:X}")

    def card_data(
        self, chosen: Application, applications: tuple[Application, ...]
    ) -> CardData:
        holder, joined = self._holder()
        return CardData(
            aid=chosen.aid,
            label=chosen.label,
            number=self._number(),
            sequence=_sequence(self._values.get(SEQUENCE)),
            holder=holder,
            expiry=_expiry(self._values.get(EXPIRY)),
            applications=applications,
            token=self._token,
            holder_joined=joined,
        )

    def _number(self) -> CardNumber:
        if PAN in self._values:
            return _card_number(self._values[PAN].hex().upper(), PAN)
        if self._before_separator is None:
            raise RemoteError("the card gives no number", field=f"{PAN:X}")
        return _card_number(self._before_separator, TRACK_2)

    def _holder(self) -> tuple[str, bool]:
        """9F0B is the whole name (PBOC 3.0), or what 5F20 had no room for (2.0)."""
        short = self._values.get(HOLDER, b"").rstrip(_PADDING)
        extended = self._values.get(HOLDER_EXTENDED, b"").rstrip(_PADDING)
        if not short or not extended or extended.startswith(short):
            return _text(extended or short), False
        return _text(short + extended), True  # a character may be cut in two


def covers_holder(static: bytes) -> bool:
    """Whether the records that are signed hold a name. (Another one beside it would
    have been refused.)"""
    try:
        return any(i.tag in (HOLDER, HOLDER_EXTENDED) for i in tlv.walk(static))
    except RemoteError:
        return False


def _text(value: bytes) -> str:
    """gb18030 without padding; what could steer a screen is dropped, and a number in
    it is masked."""
    text = value.rstrip(_PADDING).decode("gb18030", "replace")
    return masked_text("".join(c for c in text if c.isprintable()).strip())


def _before_separator(track2: bytes) -> str:
    """Of PAN D YYMM service code ...: what stands before the D (R23)."""
    number, separator, _ = track2.hex().upper().partition("D")
    return number if separator else ""


def _card_number(text: str, tag: int) -> CardNumber:
    digits, _, padding = text.partition("F")
    if not digits.isdigit() or set(padding) - {"F"}:
        raise RemoteError("digits padded with F expected", field=f"{tag:X}")
    try:
        return CardNumber(digits)
    except ValueError:
        raise RemoteError("13 to 19 digits expected", field=f"{tag:X}") from None


def _expiry(value: bytes | None) -> tuple[int, int]:
    """Year and month of YYMMDD; years from 50 on are 19xx (EMV Book 4, 6.7.3)."""
    text = value.hex() if value is not None else ""
    if len(text) != 6 or not text.isdigit() or not 1 <= int(text[2:4]) <= 12:
        raise RemoteError("a date YYMMDD expected", field=f"{EXPIRY:X}")
    year = int(text[:2])
    return year + (1900 if year >= 50 else 2000), int(text[2:4])


def _sequence(value: bytes | None) -> int | None:
    if value is None:
        return None
    if len(value) != 1 or not value.hex().isdigit():
        raise RemoteError("two digits expected", field=f"{SEQUENCE:X}")
    return int(value.hex())
