"""Keys and certificates by which an emulated card proves itself (EMV Book 2): a CA, an
issuer, a chip, made anew in each process. Anybody could make such a hierarchy: posctl
takes its CA's key for a test key, and only in a test set-up.

``WRONG`` names every way in which a card's proof can be spoilt here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.card.applet import CardProfile, Chip, signed_records
from protocols.iso8583 import downloads
from protocols.iso8583.downloads import Objects

RID, CA_INDEX = "A000000333", 0xF1
"""UnionPay's own keys have low indices."""
_CA_BITS, _ISSUER_BITS, _CHIP_BITS, _SHORT_BITS = 1408, 1152, 1024, 1024
_UNTIL, _PAST, _CA_UNTIL = "1249", "1220", b"20491231"
_ISSUER_SERIAL, _CHIP_SERIAL = "0000A1", "0000C1"
REVOKED_SERIAL = "00DEAD"
_AIP = {"none": "1C00", "sda": "5C00", "dda": "3C00", "cda": "1D00"}

Offer = Literal["none", "sda", "dda", "cda"]
WRONG = (
    *("forged", "issuer expired", "chip expired", "revoked", "other issuer"),
    *("other number", "altered", "header", "trailer", "format", "hash"),
    *("short key", "tag list", "replayed", "unknown ca", "no certificate"),
    *("number not signed", "bad answer", "constant challenge"),
)


@dataclass(frozen=True, repr=False)
class Key:
    """An RSA key that signs without padding, as EMV's certificates are."""

    modulus: bytes
    exponent: int
    secret: int

    @classmethod
    def make(cls, bits: int, exponent: Literal[3, 65537] = 3) -> Key:
        numbers = rsa.generate_private_key(exponent, bits).private_numbers()
        n = numbers.public_numbers.n
        return cls(n.to_bytes(bits // 8, "big"), exponent, numbers.d)

    @property
    def exponent_bytes(self) -> bytes:
        return self.exponent.to_bytes((self.exponent.bit_length() + 7) // 8, "big")

    def sign(self, plain: bytes) -> bytes:
        """``plain`` is as long as the modulus."""
        return raw(plain, self.secret, self.modulus)


def raw(data: bytes, exponent: int, modulus: bytes) -> bytes:
    n = int.from_bytes(modulus, "big")
    return pow(int.from_bytes(data, "big"), exponent, n).to_bytes(len(modulus), "big")


@dataclass(frozen=True)
class Spoilt:
    """What goes wrong while certificates are made."""

    header: int = 0x6A
    trailer: int = 0xBC
    format: int | None = None
    hash_off: bool = False


GOOD = Spoilt()


def _envelope(size: int, kind: int, body: bytes, hashed: bytes, how: Spoilt) -> bytes:
    """6A, format, body padded with BB, hash over it and more, BC."""
    kind = kind if how.format is None else how.format
    inner = bytes([kind]) + body.ljust(size - 23, b"\xbb")
    digest = hashlib.sha1(inner + hashed, usedforsecurity=False).digest()
    if how.hash_off:
        digest = digest[::-1]
    return bytes([how.header]) + inner + digest + bytes([how.trailer])


def certify(
    signer: Key,
    key: Key,
    kind: int,
    name: str,
    until: str,
    serial: str,
    *,
    signed_too: bytes = b"",
    how: Spoilt = GOOD,
) -> tuple[bytes, bytes]:
    """Certificate and remainder of a key.

    Args:
        name: bank's number or PAN, hexadecimal padded with F to its length.
        until: MMYY.
    """
    head = bytes.fromhex(name + until + serial)
    head += bytes([1, 1, len(key.modulus), len(key.exponent_bytes)])
    room = len(signer.modulus) - 23 - len(head)
    rest = key.modulus[room:]
    plain = _envelope(
        len(signer.modulus),
        kind,
        head + key.modulus[:room],
        rest + key.exponent_bytes + signed_too,
        how,
    )
    return signer.sign(plain), rest


class Hierarchy:
    """CA, issuer and chip keys; ``personalise`` gives a card its own certificates."""

    def __init__(self) -> None:
        self.ca = Key.make(_CA_BITS)
        self.issuer = Key.make(_ISSUER_BITS)
        self.chip = Key.make(_CHIP_BITS, 65537)

    def ca_keys(self) -> str:
        """For posctl, as the TOML of its ``--ca-keys``."""
        whole = bytes.fromhex(RID) + bytes([CA_INDEX]) + self.ca.modulus
        check = hashlib.sha1(whole + self.ca.exponent_bytes, usedforsecurity=False)
        return (
            "# TEST key of an emulator: it proves nothing outside a test set-up.\n"
            f'[[key]]\nrid = "{RID}"\nindex = "{CA_INDEX:02X}"\ntest = true\n'
            f'origin = "posctl\'s emulator, made when it was started"\n'
            f'exponent = {self.ca.exponent}\nmodulus = "{self.ca.modulus.hex()}"\n'
            f'check_value = "{check.hexdigest()}"\n\n'
            f'[[revoked]]\nrid = "{RID}"\nindex = "{CA_INDEX:02X}"\n'
            f'serial = "{REVOKED_SERIAL}"\n'
        )

    def downloads(self) -> dict[tuple[bytes, bytes], Objects]:
        """For a terminal, as its host gives CA keys: by RID and index."""
        rid, index = bytes.fromhex(RID), bytes([CA_INDEX])
        whole = rid + index + self.ca.modulus + self.ca.exponent_bytes
        key: Objects = {
            downloads.RID: rid,
            downloads.KEY_INDEX: index,
            downloads.KEY_EXPIRY: _CA_UNTIL,
            downloads.KEY_HASH: downloads.SHA1,
            downloads.KEY_CIPHER: downloads.RSA,
            downloads.KEY_MODULUS: self.ca.modulus,
            downloads.KEY_EXPONENT: self.ca.exponent_bytes,
            downloads.KEY_CHECK: hashlib.sha1(whole, usedforsecurity=False).digest(),
        }
        return {(rid, index): key}

    def personalise(
        self, profile: CardProfile, offer: Offer = "dda", wrong: str = ""
    ) -> CardProfile:
        """The same card with a chip that proves itself, or fails to in one way.

        Raises:
            ValueError: none of ``WRONG``.
        """
        if wrong and wrong not in WRONG:
            raise ValueError(f"no such way to be wrong: {wrong}")
        aip = _AIP[offer]
        bare = Chip(aip, signed=1 if wrong == "number not signed" else 2)
        made = replace(profile, chip=bare)
        if offer == "none":
            return made
        objects = self._objects(made, offer, wrong)
        chip = replace(bare, records=tuple(_hexadecimal(r) for r in objects))
        if offer == "dda":
            chip = replace(
                chip,
                modulus=self.chip.modulus.hex(),
                secret=f"{self.chip.secret:x}",
                answer=wrong if wrong in ("replayed", "bad answer") else "fresh",
            )
        if wrong == "altered":
            made = replace(made, holder=made.holder[::-1])
        return replace(made, chip=chip)

    def _objects(
        self, made: CardProfile, offer: Offer, wrong: str
    ) -> list[dict[int, bytes]]:
        """By record: the issuer's, and the card's own."""
        static = b"".join(signed_records(made)) + bytes.fromhex(_AIP[offer])
        objects = {0x8F: bytes([CA_INDEX]), 0x9F4A: b"\x82"}
        if wrong == "unknown ca":
            objects[0x8F] = b"\xf7"
        if wrong == "tag list":
            objects[0x9F4A] = b"\x82\x9f\x36"
        issuers = objects | self._issuer_objects(made, wrong)
        if offer == "sda":
            return [issuers, {0x93: self._static_signature(static, _how(wrong))}]
        return [issuers, self._chip_objects(made, static, wrong)]

    def _issuer_objects(self, made: CardProfile, wrong: str) -> dict[int, bytes]:
        signer = _stranger() if wrong == "forged" else self.ca
        bank = "622588" if wrong == "other issuer" else made.number[:6]
        serial = REVOKED_SERIAL if wrong == "revoked" else _ISSUER_SERIAL
        until = _PAST if wrong == "issuer expired" else _UNTIL
        certificate, rest = certify(
            *(signer, self.issuer, 0x02, bank.ljust(8, "F"), until, serial),
            how=_how(wrong),
        )
        found = {0x90: certificate, 0x9F32: self.issuer.exponent_bytes}
        if wrong == "no certificate":
            del found[0x90]
        return found | ({0x92: rest} if rest else {})

    def _chip_objects(
        self, made: CardProfile, static: bytes, wrong: str
    ) -> dict[int, bytes]:
        key = _short() if wrong == "short key" else self.chip
        number = made.number[:-1] + "7" if wrong == "other number" else made.number
        until = _PAST if wrong == "chip expired" else _UNTIL
        certificate, rest = certify(
            *(self.issuer, key, 0x04, number.ljust(20, "F"), until, _CHIP_SERIAL),
            signed_too=static,
        )
        ddol = NO_CHALLENGE if wrong == "constant challenge" else DDOL
        found = {0x9F46: certificate, 0x9F47: key.exponent_bytes, 0x9F49: ddol}
        return found | ({0x9F48: rest} if rest else {})

    def _static_signature(self, static: bytes, how: Spoilt) -> bytes:
        body = b"\x01\xda\xc0"
        size = len(self.issuer.modulus)
        return self.issuer.sign(_envelope(size, 0x03, body, static, how))


def _hexadecimal(objects: dict[int, bytes]) -> dict[str, str]:
    return {f"{tag:X}": value.hex() for tag, value in objects.items()}


DDOL = bytes.fromhex("9F3704")
NO_CHALLENGE = bytes.fromhex("9F37009C04")
"""Names the random number and asks for none of it: one recorded answer always fits."""


def _how(wrong: str) -> Spoilt:
    made: dict[str, Callable[[], Spoilt]] = {
        "header": lambda: Spoilt(header=0x6B),
        "trailer": lambda: Spoilt(trailer=0xBD),
        "format": lambda: Spoilt(format=0x12),
        "hash": lambda: Spoilt(hash_off=True),
    }
    return made.get(wrong, Spoilt)()


@cache
def hierarchy() -> Hierarchy:
    """Of this process."""
    return Hierarchy()


@cache
def _stranger() -> Key:
    """A CA that nobody trusts."""
    return Key.make(_CA_BITS)


@cache
def _short() -> Key:
    """512 bits, which anybody can factor; no library makes such a key any more."""
    return Key(bytes.fromhex("c1" * 63 + "01"), 3, 0)
