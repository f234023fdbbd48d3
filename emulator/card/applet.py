"""A UnionPay payment card as a machine that answers APDUs (EMV, ISO/IEC 7816-4).

Made from a ``CardProfile``. It never crashes: what it does not know gets a status
word, also the dozens of SELECTs with which other programs probe for their cards.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple

from protocols import apdu, carddata, dol, emv, tlv
from protocols.apdu import Command, Response
from protocols.cardproof import INTERNAL_AUTHENTICATE
from protocols.errors import RemoteError
from protocols.sensitive import mask

DEBIT, CREDIT = "A000000333010101", "A000000333010102"
QUASI_CREDIT, ELECTRONIC_CASH = "A000000333010103", "A000000333010106"

_PSE_SFI, _DATA_SFI, _PROOF_SFI = 1, 2, 3
_NO_PROOF = "1C00"
"""AIP: no data authentication of any kind."""
_HISTORICAL = b"POSCT"

Fault = Literal["none", "mute", "gone", "slow", "wrong sw", "cut short", "no sw"]
Interface = Literal["T=0", "T=1", "contactless"]


class CardMute(Exception):
    """The profile says that the card gives no more answers."""


class CardGone(Exception):
    """The profile says that the card is pulled out now."""


SLOW = 0.3
"""Seconds that a slow card takes for an answer."""
_ENDS: Mapping[str, type[Exception]] = {"mute": CardMute, "gone": CardGone}
_SPOILS: Mapping[str, Callable[[bytes], bytes]] = {
    "wrong sw": lambda answer: b"\x6f\x00",
    "cut short": lambda answer: answer[: len(answer) // 2 + 1],
    "no sw": lambda answer: answer[:-2] or b"\x00",
}


class Listed(NamedTuple):
    """One application of the card's directory."""

    aid: str
    label: str
    priority: int = 1


@dataclass(frozen=True, repr=False)
class Chip:
    """What a card proves itself with; made by ``hierarchy.personalise``.

    Args:
        aip: 4 hexadecimal digits.
        records: certificates and their like, hexadecimal tag to value.
        signed: how many of the two data records the signature covers.
        modulus, secret: of the chip's RSA key, hexadecimal.
        answer: to a challenge: "fresh", "replayed" (always the same), "bad answer".
    """

    aip: str
    records: tuple[Mapping[str, str], ...] = ()
    signed: int = 2
    modulus: str = ""
    secret: str = ""
    answer: str = "fresh"


@dataclass(frozen=True, repr=False)
class CardProfile:
    """What a card is to be. ``expiry`` is YYMM; ``aid`` the first application.

    Args:
        others: more applications, all with the same data.
        pdol: tags and lengths that GET PROCESSING OPTIONS must bring.
        pse: whether there is a directory to select.
        track2: whether tag 57 is there; ``pan``: whether tag 5A is.
        extra: further objects of the first record, hexadecimal tag to value.
        chip: None for a card that offers no proof.
        blocked: by the issuer: the whole card, or its first application.
        fault, fault_after: what goes wrong once so many APDUs are answered. Mute, gone
            and slow (``SLOW`` seconds an answer) stay so; of the others one answer is
            spoilt: 6F00 in its place, its first half, no status word.
    """

    number: str
    holder: str = "QUAN/QUDAO"
    aid: str = DEBIT
    label: str = "UnionPay Debit"
    expiry: str = "4912"
    sequence: int | None = 1
    others: tuple[Listed, ...] = ()
    interface: Interface = "T=0"
    gpo_format: Literal[1, 2] = 2
    pdol: str = "9F7A019F02065F2A029A039F3704"
    pse: bool = True
    pan: bool = True
    track2: bool = True
    extra: Mapping[str, str] | None = None
    chip: Chip | None = None
    blocked: Literal["", "card", "application"] = ""
    fault: Fault = "none"
    fault_after: int = 0

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> CardProfile:
        """
        Raises:
            TypeError: a field that no profile has.
        """
        profile = cls(**fields)  # type: ignore[arg-type]  # our own to_json
        given = fields.get("chip")
        chip = Chip(**given) if isinstance(given, Mapping) else None
        chip = chip and replace(chip, records=tuple(chip.records))
        others = tuple(Listed(*one) for one in profile.others)
        return replace(profile, others=others, chip=chip)

    @property
    def atr(self) -> bytes:
        return ATRS[self.interface]

    def __repr__(self) -> str:
        return f"CardProfile({mask(self.number)}, {self.label})"


DEBIT_CARD = CardProfile("6216261000000000018")
DEBIT_CARD_HAN = replace(DEBIT_CARD, holder="全渠道")
OLD_DEBIT_CARD = CardProfile("6212345678901265", interface="T=1", gpo_format=1)
CREDIT_CARD = CardProfile("6212345678901232", aid=CREDIT, label="UnionPay Credit")


def _with_check(atr: bytes) -> bytes:
    check = 0
    for byte in atr[1:]:
        check ^= byte
    return atr + bytes([check])


# ISO/IEC 7816-3, 8.2; the last one as PC/SC part 3 makes it up for ISO 14443-4.
ATRS: Mapping[str, bytes] = {
    "T=0": bytes.fromhex("3B650000") + _HISTORICAL,
    "T=1": _with_check(bytes.fromhex("3BE500008131FE45") + _HISTORICAL),
    "contactless": _with_check(bytes.fromhex("3B858001") + _HISTORICAL),
}


class Applet:
    """The card in operation. ``answered`` counts APDUs since it was made."""

    def __init__(self, profile: CardProfile) -> None:
        self.profile = profile
        self.atr = profile.atr
        self.answered = 0
        self.files = _files(profile)
        self._commands: Mapping[tuple[int, int], Callable[[Command], Response]] = {
            (0x00, apdu.SELECT): self._select,
            (0x00, apdu.READ_RECORD): self._read_record,
            (0x00, apdu.GET_RESPONSE): self._get_response,
            (0x80, emv.GET_PROCESSING_OPTIONS): self._processing_options,
            (0x00, INTERNAL_AUTHENTICATE): self._authenticate,
        }
        self.reset()

    def reset(self) -> None:
        """Power up: nothing is selected, nothing waits to be fetched."""
        self._selected: str | None = None
        self._waiting = b""

    def process(self, raw: bytes) -> bytes:
        """One APDU in, data and status word out.

        Raises:
            CardMute, CardGone: where the profile's fault sets in.
        """
        fault, late = self.profile.fault, self.answered - self.profile.fault_after
        if fault in _ENDS and late >= 0:
            raise _ENDS[fault]
        self.answered += 1
        if fault == "slow" and late >= 0:
            time.sleep(SLOW)
        answer = self._whole(raw)
        return _SPOILS[fault](answer) if fault in _SPOILS and late == 0 else answer

    def _whole(self, raw: bytes) -> bytes:
        try:
            command = Command.from_bytes(raw)
        except RemoteError:
            return _status(apdu.WRONG_LENGTH).to_bytes()
        return self._t0(command, self._respond(command)).to_bytes()

    def _respond(self, command: Command) -> Response:
        handler = self._commands.get((command.cla, command.ins))
        if handler is not None:
            return handler(command)
        known = command.cla in (0x00, 0x80)
        return _status(apdu.INS_NOT_SUPPORTED if known else apdu.CLA_NOT_SUPPORTED)

    def _t0(self, command: Command, response: Response) -> Response:
        """T=0 has no answer to case 4, and wants the exact Le (ISO 7816-3, 12.2)."""
        fetching = command.ins == apdu.GET_RESPONSE
        if self.profile.interface != "T=0" or not response.data or fetching:
            return response
        size = len(response.data)
        if command.data:
            self._waiting = response.data
            return _status(apdu.MORE_DATA << 8 | size % 256)
        if command.le != size:
            return _status(apdu.WRONG_LE << 8 | size % 256)
        return response

    def _get_response(self, command: Command) -> Response:
        waiting, self._waiting = self._waiting, b""
        if not waiting:
            return _status(apdu.CONDITIONS_NOT_SATISFIED)
        return Response(waiting[: command.le or 256], apdu.OK)

    def _select(self, command: Command) -> Response:
        if self.profile.blocked == "card":
            return _status(apdu.FUNCTION_NOT_SUPPORTED)
        if command.p1 != 0x04 or command.p2 & 0xF3:
            return _status(apdu.NOT_FOUND)
        contactless = self.profile.interface == "contactless"
        if command.data == emv.PSE and self.profile.pse and not contactless:
            self._selected = "PSE"
            return Response(_pse_fci(), apdu.OK)
        if command.data == emv.PPSE and self.profile.pse and contactless:
            self._selected = "PSE"
            return Response(_ppse_fci(self.profile), apdu.OK)
        wanted = command.data.hex().upper()
        for application in _applications(self.profile):
            if wanted and application.aid.startswith(wanted) and command.p2 == 0:
                self._selected = application.aid
                if self._is_blocked(application):
                    return _status(apdu.DEACTIVATED)
                return Response(_fci(self.profile, application), apdu.OK)
        return _status(apdu.NOT_FOUND)

    def _is_blocked(self, application: Listed) -> bool:
        first = application.aid == self.profile.aid
        return self.profile.blocked == "application" and first

    def _processing_options(self, command: Command) -> Response:
        if self._selected in (None, "PSE"):
            return _status(apdu.CONDITIONS_NOT_SATISFIED)
        expected = sum(n for _, n in dol.read_dol(bytes.fromhex(self.profile.pdol)))
        head = tlv.write(emv.PDOL_DATA, bytes(expected))[: -expected or None]
        if not command.data.startswith(head):
            return _status(apdu.CONDITIONS_NOT_SATISFIED)
        if len(command.data) != len(head) + expected:
            return _status(apdu.WRONG_LENGTH)
        return Response(_options(self.profile), apdu.OK)

    def _authenticate(self, command: Command) -> Response:
        """EMV Book 2, 6.5; in format 1."""
        chip = self.profile.chip
        if chip is None or not chip.secret:
            return _status(apdu.INS_NOT_SUPPORTED)
        if self._selected in (None, "PSE") or not command.data:
            return _status(apdu.CONDITIONS_NOT_SATISFIED)
        return Response(
            tlv.write(emv.FORMAT_1, _signature(chip, command.data)), apdu.OK
        )

    def _read_record(self, command: Command) -> Response:
        sfi, mode = divmod(command.p2, 8)
        if mode != 0x04:
            return _status(apdu.WRONG_P1_P2)
        if self._selected is None or (sfi == _PSE_SFI) != (self._selected == "PSE"):
            return _status(apdu.NOT_ALLOWED_NO_EF)
        records = self.files.get(sfi)
        if records is None:
            return _status(apdu.NOT_FOUND)
        if not 1 <= command.p1 <= len(records):
            return _status(apdu.RECORD_NOT_FOUND)
        return Response(records[command.p1 - 1], apdu.OK)


def _status(sw: int) -> Response:
    return Response(b"", sw)


def _applications(profile: CardProfile) -> tuple[Listed, ...]:
    return (Listed(profile.aid, profile.label), *profile.others)


def _pse_fci() -> bytes:
    inner = tlv.write(emv.DIRECTORY_SFI, bytes([_PSE_SFI])) + tlv.write(0x5F2D, b"zh")
    return tlv.write(0x6F, tlv.write(emv.DF_NAME, emv.PSE) + tlv.write(0xA5, inner))


def _ppse_fci(profile: CardProfile) -> bytes:
    """The directory of a contactless card is in its answer (EMV Contactless Book B)."""
    inner = tlv.write(0xA5, tlv.write(0xBF0C, b"".join(_entries(profile))))
    return tlv.write(0x6F, tlv.write(emv.DF_NAME, emv.PPSE) + inner)


def _fci(profile: CardProfile, application: Listed) -> bytes:
    inner = tlv.write(carddata.LABEL, application.label.encode("ascii"))
    inner += tlv.write(carddata.PRIORITY, bytes([application.priority]))
    if profile.pdol:
        inner += tlv.write(emv.PDOL, bytes.fromhex(profile.pdol))
    name = tlv.write(emv.DF_NAME, bytes.fromhex(application.aid))
    return tlv.write(0x6F, name + tlv.write(0xA5, inner))


def _signature(chip: Chip, challenge: bytes) -> bytes:
    modulus, secret = bytes.fromhex(chip.modulus), int(chip.secret, 16)
    challenge = b"\x17" * len(challenge) if chip.answer == "replayed" else challenge
    body = bytes.fromhex("0501090802") + b"\0" * 7
    inner = body.ljust(len(modulus) - 22, b"\xbb")
    digest = hashlib.sha1(inner + challenge, usedforsecurity=False).digest()
    plain = b"\x6a" + inner + digest + b"\xbc"
    if chip.answer == "bad answer":
        return plain  # unsigned
    number = pow(int.from_bytes(plain, "big"), secret, int.from_bytes(modulus, "big"))
    return number.to_bytes(len(modulus), "big")


def signed_records(profile: CardProfile) -> list[bytes]:
    """What the card's signature covers: the records' objects without template."""
    signed = profile.chip.signed if profile.chip else 0
    return [tlv.read(record)[0].value for record in _data(profile)[:signed]]


def _options(profile: CardProfile) -> bytes:
    chip = profile.chip or Chip(_NO_PROOF, signed=0)
    aip = bytes.fromhex(chip.aip)
    locator = bytes([_DATA_SFI << 3, 1, len(_data(profile)), chip.signed])
    if chip.records:
        locator += bytes([_PROOF_SFI << 3, 1, len(chip.records), 0])
    if profile.gpo_format == 1:
        return tlv.write(emv.FORMAT_1, aip + locator)
    return tlv.write(
        emv.FORMAT_2, tlv.write(emv.AIP, aip) + tlv.write(emv.AFL, locator)
    )


def _files(profile: CardProfile) -> Mapping[int, list[bytes]]:
    directory = [tlv.write(emv.RECORD, b"".join(_entries(profile)))]
    found = {_PSE_SFI: directory, _DATA_SFI: _data(profile)}
    if profile.chip:
        proofs = (_by_tag(objects) for objects in profile.chip.records)
        found[_PROOF_SFI] = [_record(objects) for objects in proofs]
    return found


def _data(profile: CardProfile) -> list[bytes]:
    first = _objects(profile) | _by_tag(profile.extra or {})
    return [_record(first), _record(_more_objects(profile))]


def _by_tag(objects: Mapping[str, str]) -> dict[int, bytes]:
    return {int(tag, 16): bytes.fromhex(value) for tag, value in objects.items()}


def _record(objects: Mapping[int, bytes]) -> bytes:
    return tlv.write(emv.RECORD, b"".join(tlv.write(t, v) for t, v in objects.items()))


def _entries(profile: CardProfile) -> list[bytes]:
    return [
        tlv.write(
            emv.DIRECTORY_ENTRY,
            tlv.write(carddata.AID, bytes.fromhex(one.aid))
            + tlv.write(carddata.LABEL, one.label.encode("ascii"))
            + tlv.write(carddata.PRIORITY, bytes([one.priority])),
        )
        for one in _applications(profile)
    ]


def _packed(digits: str) -> bytes:
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def _objects(profile: CardProfile) -> dict[int, bytes]:
    """First record: track 2 and the holder, as on issued cards."""
    found = {carddata.HOLDER: profile.holder.encode("gb18030").ljust(2)}
    if profile.track2:
        track2 = f"{profile.number}D{profile.expiry}220000000000"
        found[carddata.TRACK_2] = _packed(track2)
    return found


def _more_objects(profile: CardProfile) -> dict[int, bytes]:
    """Second record: number, validity, sequence number, country."""
    found = {carddata.EXPIRY: bytes.fromhex(profile.expiry + "28"), 0x5F28: b"\x01\x56"}
    if profile.pan:
        found[carddata.PAN] = _packed(profile.number)
    if profile.sequence is not None:
        found[carddata.SEQUENCE] = bytes.fromhex(f"{profile.sequence:02}")
    return found
