"""Keys, signatures, sealed boxes: R5, R48, R49."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from posctl.model.errors import CheckFailed, UsageError
from posctl.store import keys, profiles
from posctl.store.sealing import binding, public_text, seal, unseal

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BODY = {"a": 1, "名": "银"}


@pytest.fixture(scope="module")
def root() -> keys.Operator:
    return keys.make_root("Example Ltd", NOW, test=False)


def test_a_signature_tells_who_signed(root: keys.Operator) -> None:
    li = keys.issue(root, "li", keys.TECHNICIAN, NOW)
    proof = li.sign("order file", BODY)
    signer = keys.check_signature(
        keys.Trust(root.certificate), "order file", BODY, proof, at=NOW
    )
    assert (signer.name, signer.role) == ("li", keys.TECHNICIAN)


@pytest.mark.parametrize(
    ("purpose", "body"), [("approval", BODY), ("order file", {"a": 2, "名": "银"})]
)
def test_a_signature_is_for_one_purpose_and_body(
    root: keys.Operator, purpose: str, body: object
) -> None:
    proof = keys.issue(root, "li", keys.TECHNICIAN, NOW).sign("order file", BODY)
    with pytest.raises(CheckFailed) as caught:
        keys.check_signature(keys.Trust(root.certificate), purpose, body, proof, at=NOW)
    assert caught.value.code == "signature.wrong"


@pytest.mark.parametrize("days", [-1, 731])
def test_a_certificate_has_its_time(root: keys.Operator, days: int) -> None:
    proof = keys.issue(root, "li", keys.TECHNICIAN, NOW).sign("x", BODY)
    at = NOW + timedelta(days=days)
    with pytest.raises(CheckFailed) as caught:
        keys.check_signature(keys.Trust(root.certificate), "x", BODY, proof, at=at)
    assert caught.value.code == "signature.certificate"


def test_an_operator_issues_nobody(root: keys.Operator) -> None:
    """A certificate signed by an operator's key does not chain to the root."""
    li = keys.issue(root, "li", keys.TECHNICIAN, NOW)
    forged = keys.issue(li, "wang", keys.APPROVER, NOW)
    with pytest.raises(CheckFailed) as caught:
        keys.check_signature(
            keys.Trust(root.certificate), "x", BODY, forged.sign("x", BODY), at=NOW
        )
    assert caught.value.code == "signature.certificate"


@pytest.mark.req("R48")
def test_a_key_rests_under_its_passphrase(root: keys.Operator, tmp_path: Path) -> None:
    li = keys.issue(root, "li", keys.TECHNICIAN, NOW)
    keys.save_operator(tmp_path, li, "correct horse")
    raw = (tmp_path / "li.key").read_bytes()
    secret = li.key.private_bytes_raw()
    assert secret not in raw and secret.hex().encode() not in raw
    assert (tmp_path / "li.key").stat().st_mode & 0o777 == 0o600
    loaded = keys.load_operator(tmp_path, "li", "correct horse")
    assert loaded.key.private_bytes_raw() == secret
    for wrong, code in (("wrong", "passphrase.wrong"), (None, "passphrase.needed")):
        with pytest.raises(CheckFailed) as caught:
            keys.load_operator(tmp_path, "li", wrong)
        assert caught.value.code == code


@pytest.mark.parametrize("name", ["", "../li", "nobody", "a/b"])
def test_an_operator_is_a_name_not_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path.parent / "li.key").write_bytes(b"{}")
    with pytest.raises(UsageError) as caught:
        keys.load_operator(tmp_path, name, None)
    assert caught.value.code == "operator.missing"


@pytest.mark.req("R49")
def test_a_box_opens_for_the_office_order_and_purpose_only() -> None:
    office, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    recipient = public_text(office.public_key())
    info = binding("account", "AAAA-0001", "AAAA", recipient)
    box = seal(recipient, info, b"secret")
    assert unseal(office, info, box) == b"secret"
    assert b"secret" not in box
    wrong = [
        (other, info),
        (office, binding("account", "AAAA-0002", "AAAA", recipient)),
        (office, binding("account", "AAAA-0001", "BBBB", recipient)),
        (office, binding("document 0025", "AAAA-0001", "AAAA", recipient)),
    ]
    for key, what in wrong:
        with pytest.raises(CheckFailed) as caught:
            unseal(key, what, box)
        assert caught.value.code == "seal.broken"


@pytest.mark.req("R49")
def test_any_flipped_bit_of_a_box_shows() -> None:
    office = X25519PrivateKey.generate()
    recipient = public_text(office.public_key())
    box = seal(recipient, b"info", b"secret")
    for at in range(len(box)):
        bad = bytearray(box)
        bad[at] ^= 1
        with pytest.raises(CheckFailed):
            unseal(office, b"info", bytes(bad))
    for junk in (b"", b"\x01", b"\x01" + os.urandom(20)):
        with pytest.raises(CheckFailed):
            unseal(office, b"info", junk)


@pytest.mark.req("R5")
def test_a_profile_is_signed_by_the_root(root: keys.Operator, tmp_path: Path) -> None:
    pinned = profiles.Pinned("00" * 32, "https://provider.example", "0" * 64)
    text = profiles.pin(profiles.example("chinaums"), pinned)
    installed = profiles.install(tmp_path, text, root)
    assert profiles.load(tmp_path, "chinaums", root.certificate, NOW) == installed
    assert installed.in_force == pinned
    path = tmp_path / "chinaums.toml"
    path.write_text(text.replace("valid_days = 15", "valid_days = 90"))
    with pytest.raises(CheckFailed) as caught:
        profiles.load(tmp_path, "chinaums", root.certificate, NOW)
    assert caught.value.code == "profile.signature"


@pytest.mark.req("R5")
def test_no_operator_signs_a_profile(root: keys.Operator, tmp_path: Path) -> None:
    wang = keys.issue(root, "wang", keys.APPROVER, NOW)
    profiles.install(tmp_path, profiles.example("chinaums"), wang)
    with pytest.raises(CheckFailed) as caught:
        profiles.load(tmp_path, "chinaums", root.certificate, NOW)
    assert caught.value.code == "profile.signature"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("version = 1", 'version = "x"'), "Expected `int`"),
        (('change = "0.00"', 'change = "free"'), "$.fees.change"),
        (("[poll]", "[pol]"), "unknown field `pol`"),
        (("baud = 9600", "baud"), "at line"),
        (('timezone = "Asia/Shanghai"', 'timezone = "Mars/North"'), "Mars/North"),
    ],
)
def test_a_wrong_profile_says_what_is_wrong(
    change: tuple[str, str], reason: str
) -> None:
    text = profiles.example("chinaums").replace(*change)
    with pytest.raises(UsageError) as caught:
        profiles.parse(text, source="mine.toml")
    assert caught.value.code == "profile.invalid"
    assert reason in str(caught.value.params["reason"])
