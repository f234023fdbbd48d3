"""The QR code: read by zbar, verified with the root's certificate alone; any change of
it is refused."""

from __future__ import annotations

import json
import struct
import subprocess
import zlib
from base64 import b32decode, b32encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import segno
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from papers import Issued, code_of, posctl, small_font, told

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.cli.receipt import _signer
from posctl.model.canonical import canonical
from posctl.model.clock import SystemClock
from posctl.model.errors import CheckFailed
from posctl.receipts import qr
from posctl.store import keys


def verify(
    folder: Path, text: bytes, root: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """In a folder with the root's certificate alone."""
    chosen = ("--root", str(root or folder / "root.pem"), "--json")
    return posctl("receipt", "verify", "-", *chosen, home=folder / "none", stdin=text)


@pytest.mark.req("R45", "R50")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_paper_is_verified_with_the_root_alone(
    issued: Issued, elsewhere: Path, tmp_path: Path, lang: str
) -> None:
    path = tmp_path / "r.pdf"
    words = ("receipt", "show", issued.number, "--output", str(path), "--lang", lang)
    posctl(*words, "--font", str(small_font()), home=issued.site.home)
    scanned = code_of(path)
    shown = told(verify(elsewhere, scanned.encode()))
    assert shown["verified"] and shown["signed_by"] == "wang" and shown["test_root"]
    assert {name: shown[name] for name in issued.body} == issued.body
    (elsewhere / "code.txt").write_text(scanned + "\n")
    words = ("receipt", "verify", str(elsewhere / "code.txt"), "--json")
    options = ("--root", str(elsewhere / "root.pem"))
    assert told(posctl(*words, *options, home=elsewhere / "none")) == shown
    assert not (elsewhere / "none").exists()


@pytest.mark.req("R45")
def test_a_code_is_the_receipt_whole(issued: Issued) -> None:
    text = qr.receipt_text(issued.signed)
    assert qr.read_receipt(text) == issued.signed
    assert canonical(qr.read_receipt(text)) == issued.stored


@pytest.mark.req("R45")
def test_blanks_that_a_message_adds_do_no_harm(issued: Issued, elsewhere: Path) -> None:
    text = qr.receipt_text(issued.signed)
    folded = "\r\n".join(text[n : n + 60] for n in range(0, len(text), 60))
    assert verify(elsewhere, f"\n {folded} \n".encode()).returncode == 0


@pytest.mark.req("R48")
def test_no_code_holds_a_card_number(issued: Issued) -> None:
    whole = canonical(qr.read_receipt(qr.receipt_text(issued.signed))).decode()
    assert "621626*********0018" in whole
    assert NEW_NUMBER not in whole and OLD_NUMBER not in whole


# -- how large -----------------------------------------------------------------


@pytest.mark.req("R45")
def test_a_code_of_ours_is_of_version_25_or_less(issued: Issued) -> None:
    text = qr.receipt_text(issued.signed)
    made = segno.make(text, error=qr.ERROR_LEVEL, boost_error=False)
    assert (made.mode, int(made.version) <= 25) == ("alphanumeric", True)
    assert len(qr.matrix(text)) == 17 + 4 * int(made.version)


@pytest.mark.req("R45")
def test_the_longest_names_still_fit(issued: Issued) -> None:
    now = SystemClock().now()
    root = keys.make_root(
        "中国某某支付技术服务股份有限公司北京分公司" * 3, now, test=False
    )
    wang = keys.issue(root, "w" * 32, keys.APPROVER, now)
    body = {**issued.body, "maker": "l" * 32, "approver": "w" * 32, "serial": "0" * 40}
    signed = {"body": body, "proof": wang.sign("receipt", body)}
    text = qr.receipt_text(signed)
    assert (len(qr.matrix(text)) - 17) // 4 <= 27
    assert (
        _signer(keys.Trust(root.certificate), qr.read_receipt(text), "").name
        == "w" * 32
    )


@pytest.mark.req("R47")
def test_more_than_the_largest_code_holds_is_an_error() -> None:
    with pytest.raises(CheckFailed) as caught:
        qr.matrix(qr.RECEIPT + "A" * 4000)
    assert caught.value.code == "receipt.long"


# -- what is refused -----------------------------------------------------------


@pytest.mark.req("R45")
def test_every_flipped_bit_of_the_text_is_refused(issued: Issued) -> None:
    text = qr.receipt_text(issued.signed)
    for place in range(len(qr.RECEIPT), len(text)):
        for bit in range(7):
            spoilt = chr(ord(text[place]) ^ 1 << bit)
            with pytest.raises(ValueError):
                qr.read_receipt(text[:place] + spoilt + text[place + 1 :])


def parts_of(text: str) -> bytes:
    """Certificate, signature and body as they lie in the code."""
    code = text.removeprefix(qr.RECEIPT)
    whole = b32decode(code + "=" * (-len(code) % 8))
    return zlib.decompress(whole[4:], wbits=-15)


def text_of(parts: bytes, after: bytes = b"") -> str:
    """As a forger would make it: with a right CRC."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(parts) + packer.flush() + after
    whole = struct.pack(">I", zlib.crc32(packed)) + packed
    return qr.RECEIPT + b32encode(whole).decode().rstrip("=")


def flipped(parts: bytes) -> Iterator[tuple[int, bytes]]:
    """One bit of every byte."""
    for place, byte in enumerate(parts):
        changed = bytes([byte ^ 1 << place % 8])
        yield place, parts[:place] + changed + parts[place + 1 :]


@pytest.mark.req("R45")
def test_every_flipped_bit_of_what_is_signed_is_refused(
    issued: Issued, elsewhere: Path
) -> None:
    pem = (elsewhere / "root.pem").read_bytes()
    root = x509.load_pem_x509_certificate(pem)
    parts = parts_of(qr.receipt_text(issued.signed))
    assert _signer(keys.Trust(root), qr.read_receipt(text_of(parts)), "").name == "wang"
    for place, forged in flipped(parts):
        with pytest.raises((ValueError, CheckFailed)):
            _signer(keys.Trust(root), qr.read_receipt(text_of(forged)), "")
            raise AssertionError(place)


@pytest.mark.req("R45")
def test_every_flipped_bit_of_a_json_receipt_is_refused(
    issued: Issued, elsewhere: Path
) -> None:
    """Of what it says: JSON has blanks and escapes that mean nothing."""
    root = x509.load_pem_x509_certificate((elsewhere / "root.pem").read_bytes())
    for place, forged in flipped(issued.stored):
        try:
            signed = dict(json.loads(forged))
            same = signed == issued.signed
            _signer(keys.Trust(root), signed, "")
        except (ValueError, TypeError, CheckFailed):
            continue
        assert same or same_certificate(signed, issued.signed), place


def same_certificate(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """PEM has line ends, and characters around it, that mean nothing."""
    loaded = [
        x509.load_pem_x509_certificate(s["proof"]["certificate"].encode())
        for s in (one, other)
    ]
    return loaded[0] == loaded[1] and one["body"] == other["body"]


@pytest.mark.req("R45", "R47")
def test_codes_that_are_none(issued: Issued, elsewhere: Path) -> None:
    text = qr.receipt_text(issued.signed)
    parts = parts_of(text)
    bomb = text_of(bytes(50_000_000))
    body = parts.replace(b"621626", b"621627")
    for spoilt, code in (
        (text_of(body), "signature.wrong"),
        (text[:-1], "receipt.unreadable"),
        (text + "A", "receipt.unreadable"),
        (text.lower(), "receipt.unreadable"),
        (qr.RECEIPT, "receipt.unreadable"),
        (qr.RECEIPT + "é", "receipt.unreadable"),
        (text_of(parts, b"more"), "receipt.unreadable"),
        (text_of(parts[:200]), "receipt.unreadable"),
        (text_of(b"\xff" * 9), "receipt.unreadable"),
        (bomb, "receipt.unreadable"),
        (text.replace(":1:", ":2:"), "receipt.unreadable"),
        ("POSCTL:SLIP:1:AB2C-D3E4F:AUDITING:0:0", "receipt.slip"),
        ("A" * (1024 * 1024 + 1), "receipt.unreadable"),
    ):
        done = verify(elsewhere, spoilt.encode())
        assert (done.returncode, told(done)["code"]) == (7, code), spoilt[:60]


@pytest.mark.req("R45")
def test_another_root_refuses_it(issued: Issued, elsewhere: Path) -> None:
    other = keys.make_root("", SystemClock().now(), test=True)
    path = elsewhere / "other.pem"
    path.write_bytes(other.certificate.public_bytes(Encoding.PEM))
    done = verify(elsewhere, qr.receipt_text(issued.signed).encode(), path)
    assert told(done)["code"] == "signature.certificate"
