"""WeChat Pay's wire format.

Independent evidence: the package ``wechatpayv3`` (MIT, another author) signs what we
check, checks what we sign, and unseals what we seal; ``openssl`` checks and unseals the
same. Self-consistent only: bodies and answers, one end of ours against the other.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import wechatpayv3.utils as peer
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import (
    generate_private_key as generate_ec_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import rsasha256
from protocols import wechatpay as wire
from protocols.errors import LocalError, RemoteError
from protocols.sensitive import AccountNumber
from protocols.wechatpay import Caller, Change, Platform, RequestError

NOW = 1_795_492_800
NUMBER = "6216261000000000018"
TARGET = "/v3/apply4sub/sub_merchants/1900006491/settlement?x=1"
NEEDS_OPENSSL = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")


@cache
def key(name: str = "own") -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def caller() -> Caller:
    return Caller("1900000001", "5157F09EFDC096DE", key())


def platform() -> Platform:
    return Platform("PUB_KEY_ID_01", key("platform").public_key())


def pem_of(private: RSAPrivateKey) -> str:
    form = PrivateFormat.PKCS8
    return private.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def public_pem(private: RSAPrivateKey) -> bytes:
    form = PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(Encoding.PEM, form)


def authorized(body: bytes = b"{}", **changes: object) -> str:
    known: dict[str, object] = {"timestamp": NOW, "nonce": "A1"}
    return wire.build_authorization(
        caller(),
        "POST",
        TARGET,
        body,
        **{**known, **changes},  # type: ignore[arg-type]
    )


def opened(
    authorization: str, body: bytes = b"{}", *, now: float = NOW, target: str = TARGET
) -> wire.Signed:
    headers = {"authorization": authorization}
    return wire.open_request("POST", target, headers, body, find_key, now=now)


def find_key(mchid: str, serial: str) -> object:
    known = (mchid, serial) == (caller().mchid, caller().serial_no)
    return key().public_key() if known else None


def answered(body: bytes = b"{}", *, at: int = NOW) -> dict[str, str]:
    headers = wire.sign_answer(
        body, "PUB_KEY_ID_01", key("platform"), timestamp=at, nonce="B2"
    )
    return {name.lower(): text for name, text in headers.items()}


def change(**changes: object) -> Change:
    known = Change(wire.PRIVATE, "工商银行", "110000", AccountNumber(NUMBER), "全渠道")
    return replace(known, **changes)  # type: ignore[arg-type]


# Against others.


def test_another_implementation_signs_what_we_check() -> None:
    for data in (None, {"account_bank": "工商银行", "n": 1}):
        authorization = peer.build_authorization(
            TARGET, "POST", caller().mchid, caller().serial_no, key(), data=data
        )
        stamp = int(authorization.partition('timestamp="')[2].partition('"')[0])
        body = json.dumps(data).encode() if data else b""
        assert opened(authorization, body, now=stamp).mchid == caller().mchid
        with pytest.raises(RequestError, match="signature does not fit"):
            opened(authorization, body + b" ", now=stamp)


def test_another_implementation_checks_what_we_sign() -> None:
    body = '{"application_no":"1","a":"渠道"}'
    headers = answered(body.encode())
    values = (headers[wire.TIMESTAMP], headers[wire.NONCE])
    signature, public = headers[wire.SIGNATURE], platform().public_key
    assert peer.rsa_verify(*values, body, signature, public)
    assert not peer.rsa_verify(*values, body + " ", signature, public)


def test_another_implementation_unseals_what_we_seal() -> None:
    text = wire.seal("全渠道", platform().public_key)
    assert peer.rsa_decrypt(text, key("platform")) == "全渠道"
    text = peer.rsa_encrypt(NUMBER, platform().public_key)
    assert wire.unseal(text, key("platform")) == NUMBER


@NEEDS_OPENSSL
def test_openssl_checks_an_authorization_and_unseals_a_field(tmp_path: Path) -> None:
    pairs = dict(p.split("=", 1) for p in authorized().split(" ", 1)[1].split(","))
    text = f"POST\n{TARGET}\n{NOW}\nA1\n{{}}\n".encode()
    files = {
        "public.pem": public_pem(key()),
        "private.pem": pem_of(key()).encode(),
        "signature": base64.b64decode(pairs["signature"].strip('"')),
        "sealed": base64.b64decode(wire.seal(NUMBER, key().public_key())),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    verify = "openssl dgst -sha256 -verify public.pem -signature signature"
    run = {"cwd": tmp_path, "capture_output": True, "check": True}
    subprocess.run(verify.split(), input=text, **run)  # type: ignore[call-overload]
    unseal = (
        "openssl pkeyutl -decrypt -inkey private.pem -in sealed "
        "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1"
    )
    plain = subprocess.run(unseal.split(), **run)  # type: ignore[call-overload]
    assert plain.stdout.decode() == NUMBER


# A request's signature.


def test_every_part_of_a_request_is_signed() -> None:
    authorization = authorized(b'{"a":1}')
    assert opened(authorization, b'{"a":1}') == wire.Signed("1900000001", "A1")
    for text in (
        authorization.replace('nonce_str="A1"', 'nonce_str="A2"'),
        authorization.replace(str(NOW), str(NOW + 1)),
    ):
        with pytest.raises(RequestError, match="signature"):
            opened(text, b'{"a":1}')
    with pytest.raises(RequestError, match="signature"):
        opened(authorization, b'{"a":1}', target=TARGET.replace("x=1", "x=2"))
    with pytest.raises(RequestError, match="signature"):
        opened(authorization, b'{"a":2}')


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text.replace("RSA2048", "RSA1024"),
        lambda text: text.replace('mchid="1900000001",', ""),
        lambda text: text + ',extra="1"',
        lambda text: text + ",",
        lambda text: text.replace("1900000001", "1900000002"),
        lambda text: text.replace("5157F09EFDC096DE", "5157F09EFDC096DF"),
        lambda text: text.replace(str(NOW), "soon"),
        lambda text: text.replace('nonce_str="A1"', 'nonce_str=""'),
        lambda text: text.replace('signature="', 'signature="!'),
        lambda text: text.replace('signature="', 'signature="渠'),
    ],
)
def test_a_spoilt_authorization(spoil: object) -> None:
    assert opened(authorized()).nonce == "A1"
    with pytest.raises(RequestError) as caught:
        opened(spoil(authorized()))  # type: ignore[operator]
    assert caught.value.code == wire.SIGN_ERROR


@pytest.mark.parametrize(("off", "good"), [(0, 1), (300, 1), (301, 0), (-301, 0)])
def test_the_age_of_signatures(off: int, good: int) -> None:
    told = []
    for read in (
        lambda: opened(authorized(), now=NOW + off),
        lambda: wire.check_answer(answered(), b"{}", platform(), now=NOW + off),
    ):
        try:
            read()
            told.append(1)
        except RemoteError as error:
            assert error.field in ("timestamp", wire.TIMESTAMP)
            told.append(0)
    assert told == [good, good]


# An answer's signature.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, "") for name in answered()),
        (wire.SIGNATURE_TYPE, "WECHATPAY2-SM2-WITH-SM3"),
        (wire.SERIAL, "PUB_KEY_ID_02"),
        (wire.TIMESTAMP, "soon"),
        (wire.TIMESTAMP, f"{NOW}.5"),
        (wire.SIGNATURE, "WECHATPAY/SIGNTEST/AAAA"),
        (wire.SIGNATURE, "渠道"),
    ],
)
def test_an_answer_needs_all_five_headers(name: str, text: str) -> None:
    headers = answered()
    assert len(headers) == 5
    wire.check_answer(headers, b"{}", platform(), now=NOW)
    with pytest.raises(RemoteError) as caught:
        wire.check_answer({**headers, name: text}, b"{}", platform(), now=NOW)
    assert caught.value.field == name
    del headers[name]
    with pytest.raises(RemoteError):
        wire.check_answer(headers, b"{}", platform(), now=NOW)


@pytest.mark.parametrize("spoilt", ["body", "nonce", "timestamp", "key"])
def test_another_signature(spoilt: str) -> None:
    headers, body, trusted = answered(), b"{}", platform()
    if spoilt == "body":
        body = b"{} "
    elif spoilt == "key":
        trusted = replace(trusted, public_key=key("stranger").public_key())
    else:
        headers[f"wechatpay-{spoilt}"] = str(NOW + 1)
    with pytest.raises(RemoteError) as caught:
        wire.check_answer(headers, body, trusted, now=NOW)
    assert caught.value.field == wire.SIGNATURE


# The change.


def test_a_change_and_its_way_there() -> None:
    public, private = platform().public_key, key("platform")
    for sent in (
        change(),
        change(account_type=wire.BUSINESS, bank_branch_id="102100099996"),
        change(account_name="", bank_name="某银行北京分行营业部"),
    ):
        body = wire.build_change(sent, public)
        assert NUMBER.encode() not in body and "全渠道".encode() not in body
        assert wire.open_change(body, private) == sent
    fields = json.loads(wire.build_change(change(), public))
    assert set(fields) == {
        *("account_type", "account_bank", "bank_address_code"),
        *("account_number", "account_name"),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account_type", "ACCOUNT_TYPE_OTHER"),
        ("account_bank", ""),
        ("account_bank", "工" * 129),
        ("bank_address_code", "1100"),
        ("bank_branch_id", "12345"),
        ("bank_name", "a\nb"),
        ("account_name", "渠" * 129),
        ("account_name", "渠" * 100),
    ],
)
def test_a_change_of_a_wrong_shape(name: str, value: str) -> None:
    with pytest.raises(LocalError) as caught:
        wire.build_change(change(**{name: value}), platform().public_key)
    assert not value or value not in str(caught.value)


def body_with(**fields: object) -> bytes:
    known = json.loads(wire.build_change(change(), platform().public_key))
    return json.dumps({**known, **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"account_type": "X"}, "account_type"),
        ({"account_bank": None}, "account_bank"),
        ({"account_bank": 1}, "account_bank"),
        ({"account_number": None}, "account_number"),
        ({"account_number": NUMBER}, "sealed"),
        ({"account_number": "渠"}, "sealed"),
        ({"account_name": "AAAA"}, "sealed"),
        ({"bank_address_code": "x"}, "bank_address_code"),
    ],
)
def test_the_service_refuses_a_change(fields: dict[str, object], named: str) -> None:
    with pytest.raises(RequestError) as caught:
        wire.open_change(body_with(**fields), key("platform"))
    assert (caught.value.code, caught.value.field) == (wire.PARAM_ERROR, named)


@pytest.mark.parametrize("text", ["12345", "1" * 41, "62162610 0018", "６２１６２６１"])
def test_the_service_refuses_what_is_no_number(text: str) -> None:
    sealed = wire.seal(text, platform().public_key)
    with pytest.raises(RequestError) as caught:
        wire.open_change(body_with(account_number=sealed), key("platform"))
    assert caught.value.field == "account_number"
    assert text not in str(caught.value)


# What is asked, and answers.


def test_targets_take_no_other_path() -> None:
    for number in ("1900006491/../x", "19000", "", "１９０００００００１"):
        with pytest.raises(LocalError):
            wire.change_target(number)
        with pytest.raises(LocalError):
            wire.settlement_target(number, wire.MASK_V1)
    for number in ("", "1/2", "1?x=1", "..", "a" * 65):
        with pytest.raises(LocalError):
            wire.application_target("1900006491", number, wire.MASK_V2)
    assert wire.application_target("1900006491", "10_2-9", wire.MASK_V2) == (
        "/v3/apply4sub/sub_merchants/1900006491/application/10_2-9"
        "?account_number_rule=ACCOUNT_NUMBER_RULE_MASK_V2"
    )


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    ("number", "first", "second"),
    [
        (NUMBER, "62***************18", "621626*********0018"),
        ("6216260018", "62******18", "**********"),
        ("62160", "62*60", "*****"),
        ("6216", "****", "****"),
    ],
)
def test_the_two_masks(number: str, first: str, second: str) -> None:
    assert wire.masked(number, wire.MASK_V1) == first
    assert wire.masked(number, wire.MASK_V2) == second


PARSERS = (
    wire.parse_accepted,
    wire.parse_application,
    wire.parse_settlement,
    wire.parse_refusal,
)


@pytest.mark.parametrize("parse", PARSERS)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_a_remote_error(parse: object, data: bytes) -> None:
    with pytest.raises(RemoteError):
        parse(data)  # type: ignore[operator]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = texts | st.none() | st.integers() | st.lists(texts, max_size=2)
names = st.sampled_from(
    ["verify_result", "account_number", "account_bank", "application_no", "code"]
)


@pytest.mark.parametrize("parse", PARSERS)
@given(st.dictionaries(names, values | st.sampled_from(["AUDITING", "62**18"])))
def test_any_object_is_an_answer_or_a_remote_error(
    parse: object, fields: dict[str, object]
) -> None:
    try:
        parse(json.dumps(fields).encode())  # type: ignore[operator]
    except RemoteError:
        pass


@given(texts, st.dictionaries(st.sampled_from(sorted(answered())), texts))
def test_any_headers_are_refused(text: str, headers: dict[str, str]) -> None:
    with pytest.raises(RequestError):
        opened(text)
    with pytest.raises(RemoteError):
        wire.check_answer({**answered(), **headers}, b"x", platform(), now=NOW)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=100))
def test_any_body_is_a_change_or_a_request_error(data: bytes) -> None:
    for body in (data, body_with(account_number=base64.b64encode(data).decode())):
        with pytest.raises(RequestError):
            wire.open_change(body, key("platform"))


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (wire.parse_accepted, b'{"application_no": "1/2"}'),
        (wire.parse_accepted, b'{"application_no": 12}'),
        (wire.parse_settlement, b'{"verify_result": "VERIFY_SUCCESS"}'),
        (wire.parse_settlement, b'{"verify_result": "x", "account_number": "62**18"}'),
        (wire.parse_application, b'{"verify_result": "A", "account_number": "6a*"}'),
        (wire.parse_application, b'{"account_number": "62**18"}'),
        (wire.parse_refusal, b'{"message": "x"}'),
        (wire.parse_refusal, b'{"code": "A", "message": 1}'),
        (wire.parse_refusal, b'{"code": "A", "code": "A"}'),
    ],
)
def test_answers_of_a_wrong_form(parse: object, body: bytes) -> None:
    with pytest.raises(RemoteError):
        parse(body)  # type: ignore[operator]


def test_answers_and_what_they_say() -> None:
    shown = {"account_number": "62**18", "account_bank": "工商银行"}
    body = wire.build_fields({**shown, "verify_result": "AUDITING", "bank_name": ""})
    assert b"bank_name" not in body
    application = wire.parse_application(body)
    assert (application.result, application.fail_reason) == ("AUDITING", "")
    body = wire.build_fields({**shown, "verify_result": "VERIFY_FAIL"})
    assert wire.parse_settlement(body).account_number == "62**18"
    body = wire.build_refusal("SIGN_ERROR", "no")
    assert wire.parse_refusal(body) == wire.Refusal("SIGN_ERROR", "no")
    assert wire.parse_accepted(b'{"application_no":"1"}') == "1"


# Keys.


def test_keys_of_a_wrong_form() -> None:
    curve = generate_ec_key(SECP256R1())
    form = PrivateFormat.PKCS8
    ec_pem = curve.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    short = pem_of(generate_private_key(65537, 1024))  # noqa: S505 (to be refused)
    for pem in ("", "not PEM", ec_pem, short, public_pem(key()).decode()):
        with pytest.raises(LocalError) as caught:
            rsasha256.load_private_key(pem)
        assert not pem or pem not in str(caught.value)
    for pem in ("", "not PEM", pem_of(key())):
        with pytest.raises(LocalError):
            rsasha256.load_public_key(pem)
    assert rsasha256.load_private_key(pem_of(key())).key_size == 2048


def test_what_cannot_be_signed() -> None:
    with pytest.raises(LocalError):
        authorized(nonce='A"')
    with pytest.raises(LocalError):
        authorized(timestamp=-1)
    for mchid, serial in (("19", "A"), ("1900000001", 'A"'), ("1900000001", "")):
        with pytest.raises(LocalError):
            Caller(mchid, serial, key())
    with pytest.raises(LocalError):
        Platform("a b", key().public_key())


@pytest.mark.req("R48")
def test_neither_keys_nor_numbers_are_shown() -> None:
    shown = f"{caller()!r} {platform()!r} {change()!r}"
    assert "621626*********0018" in shown
    for secret in (NUMBER, "全渠道", "RSA", "PRIVATE KEY"):
        assert secret not in shown
