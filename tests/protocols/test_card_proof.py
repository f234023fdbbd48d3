"""How a card proves itself, driven without a reader: good cards of every kind, and each
way of being wrong. What the emulator makes proves that both sides of ours agree; the
certificates are opened by openssl too, and a published example is opened by ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.card.applet import DEBIT_CARD, OLD_DEBIT_CARD, Applet, CardProfile
from emulator.card.hierarchy import (
    CA_INDEX,
    REVOKED_SERIAL,
    RID,
    WRONG,
    Offer,
    hierarchy,
)
from protocols import apdu, emv
from protocols.cardproof import CaKey, Check, Grade, Keys, Proof, PublicKey, Unproved
from protocols.errors import RemoteError

TODAY = date(2026, 11, 26)


def keys(**changes: object) -> Keys:
    ca = hierarchy().ca
    key = PublicKey(ca.modulus, ca.exponent)
    made = CaKey(RID, CA_INDEX, key, "emulator", is_test=True)
    return Keys(
        (replace(made, **changes),), frozenset({(RID, CA_INDEX, REVOKED_SERIAL)})
    )


def prove(profile: CardProfile, known: Keys | None = None) -> Proof:
    steps = emv.read_card(today=TODAY, keys=known or keys(), random=os.urandom)
    return apdu.run(steps, Applet(profile).process).proof


def last(proof: Proof) -> Check:
    return proof.checks[-1]


# -- good cards --------------------------------------------------------------------


@pytest.mark.req("R24")
@pytest.mark.parametrize("profile", [DEBIT_CARD, OLD_DEBIT_CARD], ids=["T=0", "T=1"])
@pytest.mark.parametrize(
    ("offer", "grade", "links"),
    [
        ("none", Grade.NOTHING, ""),
        ("sda", Grade.COPYABLE, "ca_key issuer_certificate static_data"),
        ("cda", Grade.NOT_CHALLENGED, "ca_key issuer_certificate card_certificate"),
        ("dda", Grade.GENUINE, "ca_key issuer_certificate card_certificate challenge"),
    ],
)
def test_each_offer_has_its_grade(
    profile: CardProfile, offer: Offer, grade: Grade, links: str
) -> None:
    proof = prove(hierarchy().personalise(profile, offer))
    assert proof.grade is grade
    assert [check.name for check in proof.checks] == links.split()
    assert not any(check.reason for check in proof.checks)


@pytest.mark.req("R24")
@pytest.mark.parametrize("number", ["62123456789002", "6212345678900000003"])
def test_numbers_of_every_length(number: str) -> None:
    card = hierarchy().personalise(CardProfile(number))
    assert prove(card).grade is Grade.GENUINE


# -- every way to be wrong -------------------------------------------------------

DYNAMIC = {
    "forged": ("issuer_certificate", "header"),
    "issuer expired": ("issuer_certificate", "expired"),
    "chip expired": ("card_certificate", "expired"),
    "revoked": ("issuer_certificate", "revoked"),
    "other issuer": ("issuer_certificate", "other issuer"),
    "other number": ("card_certificate", "other number"),
    "altered": ("card_certificate", "hash"),
    "header": ("issuer_certificate", "header"),
    "trailer": ("issuer_certificate", "trailer"),
    "format": ("issuer_certificate", "format"),
    "hash": ("issuer_certificate", "hash"),
    "short key": ("card_certificate", "key size"),
    "tag list": ("card_certificate", "tag list"),
    "replayed": ("challenge", "hash"),
    "bad answer": ("challenge", "header"),
    "no certificate": ("issuer_certificate", "missing"),
    "constant challenge": ("challenge", "DDOL"),
}


@pytest.mark.req("R24")
@pytest.mark.parametrize("wrong", DYNAMIC)
def test_a_card_wrong_in_one_way_fails_at_that_link(wrong: str) -> None:
    proof = prove(hierarchy().personalise(DEBIT_CARD, "dda", wrong))
    assert proof.grade is Grade.FAILED
    link, reason = DYNAMIC[wrong]
    lucky = {"trailer"} if wrong == "forged" else set()  # 1 in 256 begins with 6A
    assert last(proof).name == link and last(proof).reason in {reason, *lucky}


@pytest.mark.req("R24")
@pytest.mark.parametrize("wrong", ["altered", "tag list", "number not signed"])
def test_static_data_that_is_not_what_was_signed(wrong: str) -> None:
    proof = prove(hierarchy().personalise(DEBIT_CARD, "sda", wrong))
    reason = {"altered": "hash"}.get(wrong, wrong)
    assert (proof.grade, last(proof).name) == (Grade.FAILED, "static_data")
    assert last(proof).reason == reason


def test_every_way_is_tried() -> None:
    assert set(WRONG) == {*DYNAMIC, "number not signed", "unknown ca"}


@pytest.mark.req("R24")
def test_a_ca_key_that_is_not_known_proves_nothing() -> None:
    proof = prove(hierarchy().personalise(DEBIT_CARD, "dda", "unknown ca"))
    assert proof == Proof(Grade.NOTHING, (Check("ca_key", "unknown", "F7"),))


@pytest.mark.req("R24")
def test_a_key_of_another_scheme_is_not_taken() -> None:
    card = hierarchy().personalise(DEBIT_CARD)
    assert prove(card, keys(rid="A000000003")).grade is Grade.NOTHING


@pytest.mark.req("R24")
@pytest.mark.parametrize(
    ("expires", "grade"),
    [(date(2026, 11, 26), Grade.GENUINE), (date(2026, 11, 25), Grade.FAILED)],
)
def test_a_ca_key_is_good_to_its_last_day(expires: date, grade: Grade) -> None:
    card = hierarchy().personalise(DEBIT_CARD)
    assert prove(card, keys(expires=expires)).grade is grade


def test_a_certificate_is_good_to_the_end_of_its_month() -> None:
    card = hierarchy().personalise(replace(DEBIT_CARD, expiry="5001"))
    for today, grade in ((date(2049, 12, 31), "genuine"), (date(2050, 1, 1), "failed")):
        steps = emv.read_card(today=today, keys=keys(), random=os.urandom)
        proof = apdu.run(steps, Applet(card).process).proof
        assert proof.grade.value == grade


# -- one wrong byte ----------------------------------------------------------------


def spoilt(profile: CardProfile, at: int, to: int) -> Callable[[bytes], bytes]:
    """The card, with one byte changed in the ``at``th answer that has data."""
    applet, seen = Applet(profile), iter(range(10**6))

    def transmit(raw: bytes) -> bytes:
        answer = applet.process(raw)
        if len(answer) <= 2 or next(seen) != at:
            return answer
        place = to % (len(answer) - 2)
        changed = bytes([answer[place] ^ (1 + to % 255)])
        return answer[:place] + changed + answer[place + 1 :]

    return transmit


@pytest.mark.req("R24")
@settings(max_examples=300, deadline=None)
@given(
    offer=st.sampled_from(["sda", "cda", "dda"]),
    at=st.integers(0, 8),
    to=st.integers(0, 2**20),
)
def test_a_card_with_one_wrong_byte_shows_no_other_number(
    offer: Offer, at: int, to: int
) -> None:
    """It is refused, or fails, or offers nothing, or the byte is one that nobody signs
    and the number is the right one."""
    card = hierarchy().personalise(DEBIT_CARD, offer)
    steps = emv.read_card(today=TODAY, keys=keys(), random=os.urandom)
    try:
        found = apdu.run(steps, spoilt(card, at, to))
    except RemoteError:
        return
    if found.proof.grade not in (Grade.FAILED, Grade.NOTHING):
        assert found.number.reveal() == DEBIT_CARD.number
        assert found.expiry == (2049, 12)


# -- evidence from elsewhere -------------------------------------------------------

PUBLISHED = {
    "modulus": "AE8DE479F30046B083AD42DD7E9300BE9EF67E891AE79FB96599C46A3CA5516B"
    "EA1598E3FB3AEDE7CE5EA8E47DD98774D2D2373B3CBACC7BBEC807CF7D9110B7"
    "AB1946D4C762244A5E006DCDB3F4E6BB99BBA4A0BE9A892203B8226352F7B9F2"
    "60C32B37EE255D96E68E12D8F90C70842009ABB07E708110A70292E2EFCBB4D9",
    "certificate": "2B0CB3F653A15F5DD6A30D09F47E9BB36747B52C7B49499416FF12E5707FDFDB"
    "CF8B8F05703B86BDC0B322A8943F801EEED8FAD8A96B533D742DBF36410548C0"
    "9EBE9C317C98542BF694C4143A3813F3ABDF5C3AD23BA26B0B23A4D52455E11F"
    "6F0D1EE0435C69DD4B41E38C9D855A03E194C5321152879375849401BB415166",
    "head": "6A02622800FF123000000101018001B4AB1DC9B46B8745C26703A7CEFF4952",
    "hash_and_trailer": "500DC25210B5F2ADDF14429F2A9F3CB781A5717EBC",
}
"""An issuer's certificate worked through in public, with a test key of a CA with
exponent 65537: docs/test-data.md."""


def test_a_published_certificate_is_recovered() -> None:
    key = PublicKey(bytes.fromhex(PUBLISHED["modulus"]), 65537)
    plain = key.recover(bytes.fromhex(PUBLISHED["certificate"])).hex().upper()
    assert plain.startswith(PUBLISHED["head"])
    assert plain.endswith(PUBLISHED["hash_and_trailer"])


def opened_by_openssl(modulus: bytes, exponent: int, signed: bytes, at: Path) -> bytes:
    """RSA without padding, by a program that no one here wrote."""
    numbers = RSAPublicNumbers(exponent, int.from_bytes(modulus, "big"))
    pem = numbers.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    (at / "key.pem").write_bytes(pem)
    (at / "signed").write_bytes(signed)
    done = subprocess.run(
        [
            *("openssl", "pkeyutl", "-verifyrecover", "-pubin"),
            *("-inkey", str(at / "key.pem"), "-in", str(at / "signed")),
            *("-pkeyopt", "rsa_padding_mode:none"),
        ],
        capture_output=True,
        check=True,
    )
    return done.stdout


@pytest.mark.req("R24")
def test_openssl_opens_the_certificates_of_the_emulated_card(tmp_path: Path) -> None:
    """From the CA's key to the chip's, by EMV Book 2, tables 6 and 14, in a few lines
    that share nothing with ours; hashes included."""
    ca, number = hierarchy().ca, DEBIT_CARD.number
    chip = hierarchy().personalise(DEBIT_CARD).chip
    assert chip is not None
    objects = {t: bytes.fromhex(v) for r in chip.records for t, v in r.items()}

    issuer = opened_by_openssl(ca.modulus, ca.exponent, objects["90"], tmp_path)
    assert issuer[:2] + issuer[-1:] == b"\x6a\x02\xbc" and issuer[13] == 144
    covered = issuer[1:-21] + objects["92"] + objects["9F32"]
    assert hashlib.sha1(covered, usedforsecurity=False).digest() == issuer[-21:-1]
    modulus = issuer[15:-21] + objects["92"]

    exponent = int.from_bytes(objects["9F32"], "big")
    card = opened_by_openssl(modulus, exponent, objects["9F46"], tmp_path)
    assert card[:2] + card[-1:] == b"\x6a\x04\xbc"
    assert card[2:12].hex().upper() == number.ljust(20, "F")
    assert card[21:-21] + objects["9F48"] == bytes.fromhex(chip.modulus)


@given(st.binary(max_size=200))
def test_any_bytes_are_recovered_or_refused(data: bytes) -> None:
    key = PublicKey(bytes.fromhex(PUBLISHED["modulus"]), 65537)
    try:
        assert len(key.recover(data)) == key.size
    except Unproved as wrong:
        assert wrong.reason in ("length", "header")
