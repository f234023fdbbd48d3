"""Each check of a certificate, and of a challenge, by a proof that only it refuses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.card.applet import DEBIT_CARD
from emulator.card.hierarchy import CA_INDEX, RID, Key, hierarchy
from protocols import apdu
from protocols.apdu import Command
from protocols.cardproof import CaKey, Evidence, Grade, Keys, Proof, PublicKey
from protocols.cardproof import authenticate as proved

pytestmark = pytest.mark.req("R24")
TODAY, CHALLENGE = date(2026, 11, 26), bytes.fromhex("01020304")
DIGITS = DEBIT_CARD.number
STATIC = bytes.fromhex("5A0A") + bytes.fromhex(DIGITS + "F")


@dataclass(frozen=True)
class Made:
    """A certificate as it should be but for what is said."""

    name: str
    kind: int
    until: str = "1249"
    algorithms: tuple[int, int] = (1, 1)
    exponent: bytes | None = None
    exponent_size: int | None = None
    size: int | None = None
    padding: int = 0xBB
    remainder: bytes | None = None

    def by(self, signer: Key, key: Key, signed_too: bytes = b"") -> tuple[bytes, ...]:
        """Certificate, remainder, exponent."""
        exponent = self.exponent or key.exponent_bytes
        size = len(key.modulus) if self.size is None else self.size
        head = bytes([self.kind]) + bytes.fromhex(self.name + self.until + "0000A1")
        length = len(exponent) if self.exponent_size is None else self.exponent_size
        head += bytes([*self.algorithms, size, length])
        room = len(signer.modulus) - 22 - len(head)
        within = key.modulus[:room].ljust(room, bytes([self.padding]))
        rest = key.modulus[room:] if self.remainder is None else self.remainder
        covered = head + within + rest + exponent + signed_too
        digest = hashlib.sha1(covered, usedforsecurity=False).digest()
        plain = b"\x6a" + head + within + digest + b"\xbc"
        return signer.sign(plain), rest, exponent


def bank(**spoilt: object) -> Made:
    name = str(spoilt.pop("name", DIGITS[:6].ljust(8, "F")))
    return Made(name, 0x02, **spoilt)  # type: ignore[arg-type]  # as Made has them


def chip(**spoilt: object) -> Made:
    return Made(DIGITS.ljust(20, "F"), 0x04, **spoilt)  # type: ignore[arg-type]  # same


def prove(
    issuer: Made,
    card: Made,
    *,
    ddol: bytes | None = None,
    answer: bytes = b"",
    aip: str = "3D00",
    more: dict[int, bytes] | None = None,
) -> tuple[Proof, list[bytes]]:
    """The proof, and what the chip was asked to sign."""
    keys, asked = hierarchy(), list[bytes]()
    objects = {0x8F: bytes([CA_INDEX]), 0x82: bytes.fromhex(aip)}
    made = issuer.by(keys.ca, keys.issuer)
    objects |= dict(zip((0x90, 0x92, 0x9F32), made, strict=True))
    made = card.by(keys.issuer, keys.chip, STATIC)
    objects |= dict(zip((0x9F46, 0x9F48, 0x9F47), made, strict=True))
    objects |= {0x9F49: ddol} if ddol is not None else {}
    objects |= more or {}
    evidence = Evidence(RID, DIGITS, {t: v for t, v in objects.items() if v}, STATIC)
    known = CaKey(RID, CA_INDEX, PublicKey(keys.ca.modulus, keys.ca.exponent), "test")

    def card_answers(raw: bytes) -> bytes:
        data = Command.from_bytes(raw).data
        asked.append(data)
        return (answer or dynamic(data)) + b"\x90\x00"

    steps = proved(evidence, Keys((known,)), today=TODAY, unpredictable=CHALLENGE)
    return apdu.run(steps, card_answers), asked


def dynamic(
    challenge: bytes, *, algorithm: int = 1, length: int = 9, own: bytes = b""
) -> bytes:
    """The chip's answer in format 1: signed dynamic data (EMV Book 2, table 17)."""
    key = hierarchy().chip
    size = len(key.modulus)
    body = bytes([5, algorithm, length]) + own.ljust(9, b"\0")
    body = body.ljust(size - 22, b"\xbb")
    digest = hashlib.sha1(body + challenge, usedforsecurity=False).digest()
    return b"\x80\x81" + bytes([size]) + key.sign(b"\x6a" + body + digest + b"\xbc")


def reason(proof: Proof) -> tuple[str, str]:
    return proof.checks[-1].name, proof.checks[-1].reason


def test_what_is_right_is_genuine() -> None:
    proof, asked = prove(bank(), chip())
    assert proof.grade is Grade.GENUINE and asked == [CHALLENGE]


ISSUER_IS_WRONG = {
    "hash algorithm": (bank(algorithms=(2, 1)), "algorithm"),
    "key algorithm": (bank(algorithms=(1, 2)), "algorithm"),
    "exponent 5": (bank(exponent=b"\x05"), "exponent"),
    "exponent 1": (bank(exponent=b"\x01"), "exponent"),
    "exponent with a zero": (bank(exponent=b"\x00\x03"), "exponent"),
    "exponent's length": (bank(exponent_size=2), "exponent"),
    "longer than its signer": (bank(size=177), "key size"),
    "shorter than 1024 bits": (bank(size=127), "key size"),
    "no remainder": (bank(remainder=b""), "remainder"),
    "half a remainder": (bank(remainder=b"\x11"), "remainder"),
    "month 13": (bank(until="1349"), "date"),
    "month 0": (bank(until="0049"), "date"),
    "no date": (bank(until="AB49"), "date"),
    "last month": (bank(until="1026"), "expired"),
    "a bank of 2 digits": (bank(name="62FFFFFF"), "other issuer"),
    "digits after padding": (bank(name="621F6261"), "other issuer"),
    "another bank": (bank(name="622588FF"), "other issuer"),
}


@pytest.mark.parametrize("case", ISSUER_IS_WRONG)
def test_an_issuers_certificate(case: str) -> None:
    spoilt, why = ISSUER_IS_WRONG[case]
    proof, asked = prove(spoilt, chip())
    assert (proof.grade, asked) == (Grade.FAILED, [])
    assert reason(proof) == ("issuer_certificate", why)


@pytest.mark.parametrize(
    "good", [bank(until="1126"), bank(name="621FFFFF"), bank(name=DIGITS[:8])]
)
def test_the_edges_of_what_is_right(good: Made) -> None:
    assert prove(good, chip())[0].grade is Grade.GENUINE


CHIP_IS_WRONG = {
    "hash algorithm": (chip(algorithms=(2, 1)), "algorithm"),
    "exponent 5": (chip(exponent=b"\x05"), "exponent"),
    "longer than its signer": (chip(size=145), "key size"),
    "shorter than 768 bits": (chip(size=95), "key size"),
    "a remainder too long": (chip(remainder=bytes(80)), "remainder"),
    "month 13": (chip(until="1349"), "date"),
}


@pytest.mark.parametrize("case", CHIP_IS_WRONG)
def test_a_chips_certificate(case: str) -> None:
    spoilt, why = CHIP_IS_WRONG[case]
    proof, asked = prove(bank(), spoilt)
    assert (proof.grade, asked) == (Grade.FAILED, [])
    assert reason(proof) == ("card_certificate", why)


def test_an_index_of_two_bytes_names_no_key() -> None:
    proof, _ = prove(bank(), chip(), more={0x8F: bytes([CA_INDEX, 0])})
    assert (proof.grade, reason(proof)) == (Grade.FAILED, ("ca_key", "length"))


@pytest.mark.parametrize(
    ("size", "why"), [(175, "length"), (177, "length"), (176, "header")]
)
def test_what_its_key_cannot_have_signed(size: int, why: str) -> None:
    """As long as the key, but not below its modulus."""
    proof, _ = prove(bank(), chip(), more={0x90: b"\xff" * size})
    assert reason(proof) == ("issuer_certificate", why)


# -- the challenge -------------------------------------------------------------------


@pytest.mark.parametrize(
    "ddol",
    [
        *("9F3700", "9F37009C04", "9F37019C03", "9F37029F3702", "9F3703"),
        *("9C04", "9A039C01", "", "9F37", "9F37049F"),
    ],
)
def test_a_list_that_asks_for_less_than_a_fresh_challenge(ddol: str) -> None:
    """Of a shorter one every answer could have been recorded, and this list nobody
    signs. A list without any tag is the default one."""
    proof, asked = prove(bank(), chip(), ddol=bytes.fromhex(ddol))
    if not ddol:
        assert proof.grade is Grade.GENUINE and asked == [CHALLENGE]
        return
    assert (proof.grade, asked) == (Grade.FAILED, [])
    assert reason(proof) == ("challenge", "DDOL")


@pytest.mark.parametrize("ddol", ["9F3704", "9C019F3704", "9F37089A03"])
def test_a_list_that_asks_for_it(ddol: str) -> None:
    proof, asked = prove(bank(), chip(), ddol=bytes.fromhex(ddol))
    assert proof.grade is Grade.GENUINE and CHALLENGE in asked[0]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (dynamic(CHALLENGE, algorithm=2), "algorithm"),
        (dynamic(CHALLENGE, length=104), "length"),
        (dynamic(bytes(4)), "hash"),
        (b"\x80\x02\x00\x00", "length"),
        (b"\x77\x00", "answer"),
        (b"", ""),
    ],
)
def test_answers_to_it(answer: bytes, why: str) -> None:
    proof, _ = prove(bank(), chip(), answer=answer)
    assert proof.grade is (Grade.FAILED if why else Grade.GENUINE)
    assert proof.checks[-1].reason == why


@given(st.binary(min_size=4, max_size=4))
def test_an_answer_to_another_challenge_proves_nothing(other: bytes) -> None:
    proof, _ = prove(bank(), chip(), answer=dynamic(other))
    assert (proof.grade is Grade.GENUINE) == (other == CHALLENGE)
