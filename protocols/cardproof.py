"""How a payment card proves itself offline: EMV Book 2, sections 5 and 6 (static and
dynamic data authentication), as PBOC 3.0 part 7 has it too.

Only INTERNAL AUTHENTICATE is sent. GENERATE AC never is: it costs the card a counter.
So of a card that offers nothing but combined authentication (CDA) the certificates are
checked, and its chip is not challenged.

The recovery of a certificate is RSA without padding, a plain ``pow``: no library has
it, as the padding (6A … BC) is EMV's own.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from protocols import tlv
from protocols.apdu import Command, Response, Steps, exchange
from protocols.dol import fill_dol, read_dol
from protocols.errors import RemoteError

INTERNAL_AUTHENTICATE = 0x88

PAN, AIP = 0x5A, 0x82
CA_INDEX, ISSUER_CERTIFICATE, ISSUER_REMAINDER, ISSUER_EXPONENT = (
    0x8F,
    0x90,
    0x92,
    0x9F32,
)
STATIC_SIGNATURE, STATIC_TAGS = 0x93, 0x9F4A
CARD_CERTIFICATE, CARD_EXPONENT, CARD_REMAINDER = 0x9F46, 0x9F47, 0x9F48
DDOL, DYNAMIC_SIGNATURE, UNPREDICTABLE = 0x9F49, 0x9F4B, 0x9F37
OBJECTS = frozenset(
    {
        *(CA_INDEX, ISSUER_CERTIFICATE, ISSUER_REMAINDER, ISSUER_EXPONENT),
        *(STATIC_SIGNATURE, STATIC_TAGS, DDOL, AIP),
        *(CARD_CERTIFICATE, CARD_EXPONENT, CARD_REMAINDER),
    }
)
"""What a proof is made of; none of these says anything about the holder."""

_DEFAULT_DDOL = bytes.fromhex("9F3704")
_FORMAT_1, _FORMAT_2 = 0x80, 0x77
_SDA, _DDA, _CDA = 0x40, 0x20, 0x01
"""Bits of the first byte of the AIP (EMV Book 3, annex C1)."""
_HEADER, _TRAILER, _PADDING = 0x6A, 0xBC, 0xBB
_SHA_1, _RSA = 1, 1
_HASH = 20
_EXPONENTS = (b"\x03", b"\x01\x00\x01")
_MOST_BYTES = 248
"""Of a modulus (EMV Book 2, 5.1 and annex B2.1)."""


class Grade(enum.Enum):
    """How far the chip is proved (R24), best first."""

    GENUINE = "genuine"
    NOT_CHALLENGED = "chain valid, not challenged"
    COPYABLE = "unaltered, copyable"
    NOTHING = "offers nothing"
    FAILED = "failed"


PROVEN = frozenset({Grade.GENUINE, Grade.NOT_CHALLENGED, Grade.COPYABLE})
"""What the signed records say is the issuer's word."""


@dataclass(frozen=True)
class PublicKey:
    """Of RSA; ``modulus`` in bytes, most significant first."""

    modulus: bytes
    exponent: int

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.modulus)

    def recover(self, signed: bytes) -> bytes:
        """What was signed, as long as the modulus. Raises ``Unproved``."""
        number = int.from_bytes(signed, "big")
        modulus = int.from_bytes(self.modulus, "big")
        if len(signed) != self.size:
            raise Unproved("length")
        if number >= modulus:  # so it was never signed by this key
            raise Unproved("header")
        return pow(number, self.exponent, modulus).to_bytes(self.size, "big")


@dataclass(frozen=True)
class CaKey:
    """A key of the scheme's certification authority.

    ``rid`` is 10 hexadecimal digits; ``expires`` is its last day, None where no date
    is published; ``origin`` says where it was found and when; ``is_test`` marks one
    that anybody may have the private half of.
    """

    rid: str
    index: int
    key: PublicKey
    origin: str
    expires: date | None = None
    is_test: bool = False

    @property
    def check_value(self) -> str:
        """SHA-1 of RID, index, modulus and exponent (EMV Book 2, annex B), as schemes
        publish it beside a key: 40 hexadecimal digits."""
        size = (self.key.exponent.bit_length() + 7) // 8
        exponent = self.key.exponent.to_bytes(size, "big")
        whole = bytes.fromhex(self.rid) + bytes([self.index]) + self.key.modulus
        return _sha1(whole + exponent).hex().upper()


Revoked = frozenset[tuple[str, int, str]]
"""RID, index of the CA's key, serial number of an issuer's certificate (6 digits,
hexadecimal): EMV Book 2, 5.1.2."""


@dataclass(frozen=True)
class Keys:
    """What proofs are checked with."""

    keys: tuple[CaKey, ...] = ()
    revoked: Revoked = frozenset()

    def find(self, rid: str, index: int) -> CaKey | None:
        return next((k for k in self.keys if (k.rid, k.index) == (rid, index)), None)


@dataclass(frozen=True)
class Check:
    """One link of the chain. ``reason`` is a word for what is wrong, or ``""``;
    ``detail`` may be shown to anybody."""

    name: str
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Proof:
    """The grade, and what led to it, in the order it was checked."""

    grade: Grade
    checks: tuple[Check, ...] = ()


NO_PROOF = Proof(Grade.NOTHING)


@dataclass(frozen=True)
class Evidence:
    """What a card has said that its proof is about.

    Args:
        rid: of the application, 10 hexadecimal digits.
        digits: the PAN.
        objects: by tag, those of ``OBJECTS``.
        static: the records that are signed, one after the other (EMV Book 3, 10.3).
    """

    rid: str
    digits: str = field(repr=False)
    objects: Mapping[int, bytes] = field(repr=False)
    static: bytes = field(repr=False)

    def take(self, tag: int) -> bytes:
        """Raises ``Unproved``: it is not there."""
        found = self.objects.get(tag)
        if found is None:
            raise Unproved("missing", f"{tag:X}")
        return found


class Unproved(Exception):
    """A link does not hold; ``reason`` as in ``Check``."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class _UnknownKey(Unproved):
    """Nothing is proved by it, nor disproved."""


class _Chain:
    """The links so far."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    @contextmanager
    def link(self, name: str) -> Iterator[list[str]]:
        """Checks one; what is put into the list is its detail."""
        told: list[str] = []
        try:
            yield told
        except Unproved as wrong:
            self.checks.append(Check(name, wrong.reason, wrong.detail))
            raise
        self.checks.append(Check(name, detail=", ".join(told)))


def authenticate(
    evidence: Evidence, keys: Keys, *, today: date, unpredictable: bytes
) -> Steps[Proof]:
    """Check all that the card offers, and challenge it if it can be.

    Args:
        unpredictable: 4 random bytes, fresh for this card.

    A key of the CA that is not known proves nothing and disproves nothing: the card
    is as one that offers nothing. All else that does not hold is ``FAILED``.
    """
    offered = int.from_bytes(evidence.objects.get(AIP, b"")[:1], "big")
    if not offered & (_SDA | _DDA | _CDA):
        return NO_PROOF
    chain = _Chain()
    try:
        issuer = _issuer(evidence, keys, today, chain)
        if not offered & (_DDA | _CDA):
            with chain.link("static_data"):
                _check_static(evidence, issuer)
            return Proof(Grade.COPYABLE, tuple(chain.checks))
        with chain.link("card_certificate") as told:
            card = _card_key(evidence, issuer, today, told)
        if not offered & _DDA:
            return Proof(Grade.NOT_CHALLENGED, tuple(chain.checks))
        with chain.link("challenge"):
            yield from _challenge(evidence, card, unpredictable)
    except _UnknownKey:
        return Proof(Grade.NOTHING, tuple(chain.checks))
    except Unproved:
        return Proof(Grade.FAILED, tuple(chain.checks))
    return Proof(Grade.GENUINE, tuple(chain.checks))


def _issuer(evidence: Evidence, keys: Keys, today: date, chain: _Chain) -> PublicKey:
    """The issuer's key, vouched for by the CA."""
    with chain.link("ca_key") as told:
        ca = _ca_key(evidence, keys)
        if ca.expires is not None and ca.expires < today:
            raise Unproved("expired", ca.expires.isoformat())
        told += [f"{ca.index:02X}", f"{ca.key.size * 8} bit"]
    with chain.link("issuer_certificate") as told:
        return _issuer_key(evidence, ca, keys.revoked, today, told)


# -- the chain ---------------------------------------------------------------------


def _ca_key(evidence: Evidence, keys: Keys) -> CaKey:
    index = evidence.take(CA_INDEX)
    if len(index) != 1:
        raise Unproved("length", f"{CA_INDEX:X}")
    found = keys.find(evidence.rid, index[0])
    if found is None:
        raise _UnknownKey("unknown", index.hex().upper())
    return found


@dataclass(frozen=True)
class _Layout:
    """Of a certificate: its format byte, bytes of who it is for, the shortest key in
    it, and the tags of what did not fit into it (EMV Book 2, tables 6 and 14)."""

    kind: int
    name_size: int
    least_bits: int
    certificate: int
    remainder: int
    exponent: int

    @property
    def head(self) -> int:
        """Bytes from the header to the key's first byte."""
        return 2 + self.name_size + 2 + 3 + 4

    @property
    def around(self) -> int:
        """Bytes that are not the key's."""
        return self.head + _HASH + 1


_ISSUER = _Layout(0x02, 4, 1024, ISSUER_CERTIFICATE, ISSUER_REMAINDER, ISSUER_EXPONENT)
_CARD = _Layout(0x04, 10, 768, CARD_CERTIFICATE, CARD_REMAINDER, CARD_EXPONENT)


@dataclass(frozen=True)
class _Certificate:
    """``name`` and ``serial`` in hexadecimal, ``until`` as MMYY."""

    name: str
    serial: str
    until: str
    key: PublicKey

    def told(self) -> list[str]:
        return [self.serial, f"{self.key.size * 8} bit"]


def _certificate(
    evidence: Evidence, layout: _Layout, signer: PublicKey, signed_too: bytes = b""
) -> _Certificate:
    """Recover and check a certificate (EMV Book 2, 5.3 and 6.4); not whose it is.

    Args:
        signed_too: what the hash covers beside the key.
    """
    plain = _recovered(signer, evidence.take(layout.certificate), layout.kind)
    name_end = 2 + layout.name_size
    hash_by, algorithm, size, exponent_size = plain[layout.head - 4 : layout.head]
    if (hash_by, algorithm) != (_SHA_1, _RSA):
        raise Unproved("algorithm", f"{hash_by:02X} {algorithm:02X}")
    exponent = evidence.take(layout.exponent)
    remainder = evidence.objects.get(layout.remainder, b"")
    covered = plain[1 : -_HASH - 1] + remainder + exponent + signed_too
    if _sha1(covered) != plain[-_HASH - 1 : -1]:
        raise Unproved("hash")
    if exponent not in _EXPONENTS or len(exponent) != exponent_size:
        raise Unproved("exponent")
    if not layout.least_bits <= size * 8 <= min(signer.size, _MOST_BYTES) * 8:
        raise Unproved("key size", f"{size * 8} bit")
    modulus = _modulus(plain[layout.head : -_HASH - 1], remainder, size)
    return _Certificate(
        name=plain[2:name_end].hex().upper(),
        until=plain[name_end : name_end + 2].hex(),
        serial=plain[name_end + 2 : name_end + 5].hex().upper(),
        key=PublicKey(modulus, int.from_bytes(exponent, "big")),
    )


def _modulus(within: bytes, remainder: bytes, size: int) -> bytes:
    """The key's leftmost digits stand in the certificate, padded with BB where there
    is room; the others are the remainder."""
    room = len(within)
    padding = within[size:] if size < room else b""
    if len(remainder) != max(size - room, 0) or padding.strip(bytes([_PADDING])):
        raise Unproved("remainder")
    return (within[:size] + remainder)[:size]


def _recovered(signer: PublicKey, signed: bytes, kind: int) -> bytes:
    """Raises ``Unproved``: not as long as the key, or header, format, trailer."""
    plain = signer.recover(signed)
    if plain[0] != _HEADER:
        raise Unproved("header")
    if plain[-1] != _TRAILER:
        raise Unproved("trailer")
    if plain[1] != kind:
        raise Unproved("format", f"{plain[1]:02X}")
    return plain


def _check_date(until: str, today: date) -> None:
    """A certificate is good to the end of its month (MMYY)."""
    if not until.isdigit() or not 1 <= int(until[:2]) <= 12:
        raise Unproved("date")
    month, year = int(until[:2]), 2000 + int(until[2:])
    if (year, month) < (today.year, today.month):
        raise Unproved("expired", f"{year}-{month:02}")


def _issuer_key(
    evidence: Evidence, ca: CaKey, revoked: Revoked, today: date, told: list[str]
) -> PublicKey:
    found = _certificate(evidence, _ISSUER, ca.key)
    told += found.told()
    _check_date(found.until, today)
    bank, _, padding = found.name.partition("F")
    right = 3 <= len(bank) <= 8 and bank.isdigit() and not padding.strip("F")
    if not right or not evidence.digits.startswith(bank):
        raise Unproved("other issuer")
    if (ca.rid, ca.index, found.serial) in revoked:
        raise Unproved("revoked", found.serial)
    return found.key


def _signed_static(evidence: Evidence) -> bytes:
    """The records, and the AIP where the card's list says so; it may name nothing
    else (EMV Book 2, 5.4 step 5)."""
    listed = evidence.objects.get(STATIC_TAGS, b"")
    if listed not in (b"", bytes([AIP])):
        raise Unproved("tag list")
    return evidence.static + (evidence.take(AIP) if listed else b"")


def _check_static(evidence: Evidence, issuer: PublicKey) -> None:
    """The signed static data (EMV Book 2, 5.4)."""
    plain = _recovered(issuer, evidence.take(STATIC_SIGNATURE), 0x03)
    if plain[2] != _SHA_1:
        raise Unproved("algorithm", f"{plain[2]:02X}")
    covered = plain[1 : -_HASH - 1] + _signed_static(evidence)
    if _sha1(covered) != plain[-_HASH - 1 : -1]:
        raise Unproved("hash")
    if not _has_number(evidence.static, evidence.digits):
        raise Unproved("number not signed")


def _has_number(static: bytes, digits: str) -> bool:
    """A signature over records without the number would let any number stand beside
    it. (A chip's own certificate names the number.)"""
    try:
        found = tlv.find(static, PAN) or b""
    except RemoteError:
        return False
    return found.hex().upper().rstrip("F") == digits


def _card_key(
    evidence: Evidence, issuer: PublicKey, today: date, told: list[str]
) -> PublicKey:
    found = _certificate(evidence, _CARD, issuer, _signed_static(evidence))
    told += found.told()
    _check_date(found.until, today)
    if found.name.rstrip("F") != evidence.digits:
        raise Unproved("other number")
    return found.key


# -- the challenge -------------------------------------------------------------------


def _challenge(
    evidence: Evidence, card: PublicKey, unpredictable: bytes
) -> Steps[None]:
    """INTERNAL AUTHENTICATE, and what comes back (EMV Book 2, 6.5)."""
    ddol = evidence.objects.get(DDOL, _DEFAULT_DDOL)
    try:
        sizes = [size for tag, size in read_dol(ddol) if tag == UNPREDICTABLE]
        if max(sizes, default=0) < len(unpredictable):  # else answers can be recorded
            raise Unproved("DDOL")
        asked = fill_dol(ddol, {UNPREDICTABLE: unpredictable})
    except RemoteError:
        raise Unproved("DDOL") from None
    command = Command(0x00, INTERNAL_AUTHENTICATE, 0, 0, asked, le=256)
    got = yield from exchange(command)
    plain = _recovered(card, _signature(got), 0x05)
    hash_by, size = plain[2], plain[3]
    if hash_by != _SHA_1:
        raise Unproved("algorithm", f"{hash_by:02X}")
    if size > len(plain) - 25:
        raise Unproved("length")
    if _sha1(plain[1 : -_HASH - 1] + asked) != plain[-_HASH - 1 : -1]:
        raise Unproved("hash")


def _signature(got: Response) -> bytes:
    """Of an answer in format 1 or 2."""
    if not got.ok:
        raise Unproved("answer", f"{got.sw:04X}")
    try:
        outer = tlv.read(got.data)
        one = outer[0] if len(outer) == 1 else tlv.Tlv(0, b"")
        if one.tag == _FORMAT_1:
            return one.value
        found = tlv.find(one.value, DYNAMIC_SIGNATURE) if one.tag == _FORMAT_2 else None
    except RemoteError:
        found = None
    if found is None:
        raise Unproved("answer")
    return found


def _sha1(data: bytes) -> bytes:
    """EMV's only hash; what is signed is short and of a fixed form."""
    return hashlib.sha1(data, usedforsecurity=False).digest()
