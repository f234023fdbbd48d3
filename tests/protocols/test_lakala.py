"""Lakala's wire format: against openssl, both ends against each other, garbage.

Independent: the signatures, which the ``openssl`` command makes and checks, and the
signed text, written out here as the public SDKs document it. Self-consistent only:
the fields of an answer, which are not public, and the round trips.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import lakala as wire
from protocols.errors import LocalError, RemoteError
from protocols.lakala import Caller, Platform, Question
from protocols.rsasha256 import (
    is_signed,
    load_private_key,
    load_public_key,
    sign,
)

KEY = generate_private_key(65537, 2048)
OTHER = generate_private_key(65537, 2048)
CALLER = Caller("OP00000003", "00dfba8194c41b84cf", KEY)
PLATFORM = Platform(KEY.public_key())
NOW = 1_790_000_000
MID, TID = "898110054110001", "11000001"
OLD = "6212345678901265"
ASKED = Question(MID, "2026112312000012345678", "ab" * 16, TID)
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")


def private_pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption())  # type: ignore[attr-defined]
    return str(pem.decode())


def public_pem(key: object) -> str:
    public = key.public_key()  # type: ignore[attr-defined]
    form = PublicFormat.SubjectPublicKeyInfo
    return str(public.public_bytes(Encoding.PEM, form).decode())


def certificate_pem(key: object, serial: int) -> str:
    name = x509.Name([])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), serial)  # type: ignore[attr-defined]
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()  # type: ignore[arg-type]


def authorization(body: bytes, caller: Caller = CALLER, at: int = NOW) -> str:
    return wire.build_authorization(caller, body, timestamp=at, nonce="n1")


def find_key(appid: str, serial: str) -> object:
    return KEY.public_key() if (appid, serial) == CALLER_ID else None


CALLER_ID = (CALLER.appid, CALLER.serial_no)


def checked(header: str, body: bytes, now: float = NOW) -> wire.Signed:
    return wire.check_request(header, body, find_key, now=now)  # type: ignore[arg-type]


def answered(**fields: str) -> bytes:
    data = {**ASKED.fields, "acctNo": OLD, **fields}
    return wire.build_answer(wire.OK, "SUCCESS", data, req_id=ASKED.req_id)


def signed(body: bytes, **changes: object) -> dict[str, str]:
    known = {"appid": CALLER.appid, "serial": "1f", "timestamp": NOW, "nonce": "n2"}
    made = wire.sign_answer(KEY, body, **{**known, **changes})  # type: ignore[arg-type]
    return {name.lower(): text for name, text in made.items()}


def check(headers: dict[str, str], body: bytes, platform: Platform = PLATFORM) -> None:
    wire.check_answer(headers, body, platform, appid=CALLER.appid, now=NOW)


def parsed(body: bytes, question: Question = ASKED) -> wire.Settlement:
    return wire.parse_settlement(wire.parse_answer(body), question)


# Independent of posctl: openssl.


def openssl_verifies(text: bytes, signature: str, folder: Path) -> bool:
    key, file = folder / "key.pem", folder / "signature"
    key.write_text(public_pem(KEY))
    file.write_bytes(base64.b64decode(signature))
    command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", file]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    return done.returncode == 0


@needs_openssl
def test_openssl_verifies_a_request(tmp_path: Path) -> None:
    body = wire.build_request(ASKED, req_time="20261123120000")
    header = authorization(body)
    scheme, _, rest = header.partition(" ")
    parts = dict(re.findall(r'(\w+)="([^"]+)"', rest))
    assert scheme == "LKLAPI-SHA256withRSA"
    signature = parts.pop("signature")
    assert parts == {
        "appid": "OP00000003",
        "serial_no": "00dfba8194c41b84cf",
        "timestamp": "1790000000",
        "nonce_str": "n1",
    }
    text = b"OP00000003\n00dfba8194c41b84cf\n1790000000\nn1\n" + body + b"\n"
    assert openssl_verifies(text, signature, tmp_path)
    assert not openssl_verifies(text[:-1], signature, tmp_path)


@needs_openssl
def test_openssl_verifies_an_answer(tmp_path: Path) -> None:
    body = answered(acctName="全渠道")
    headers = signed(body)
    text = b"OP00000003\n1f\n1790000000\nn2\n" + body + b"\n"
    assert openssl_verifies(text, headers[wire.SIGNATURE], tmp_path)


@needs_openssl
def test_a_signature_that_openssl_made_is_accepted(tmp_path: Path) -> None:
    key = tmp_path / "private.pem"
    key.write_text(private_pem(KEY, PrivateFormat.TraditionalOpenSSL))
    command = ["openssl", "dgst", "-sha256", "-sign", key]
    body = b"{ }"
    text = b"OP00000003\n1f\n1790000000\nn2\n{ }\n"
    made = subprocess.run(command, input=text, capture_output=True, check=True)
    signature = base64.b64encode(made.stdout).decode()
    check({**signed(body), wire.SIGNATURE: signature}, body)
    loaded = load_private_key(key.read_text())
    assert sign(loaded, text) == signature


# The request.


@pytest.mark.parametrize("tid", [TID, None])
def test_the_body_of_a_request(tid: str | None) -> None:
    question = Question(MID, "2026112312000012345678", "ab" * 16, tid)
    body = wire.build_request(question, req_time="20261123120000")
    terminal = {"termNo": TID} if tid else {}
    assert json.loads(body) == {
        "reqId": "ab" * 16,
        "reqTime": "20261123120000",
        "version": "2.0",
        "reqData": {
            "merCupNo": MID,
            "orderNo": "2026112312000012345678",
            **terminal,
        },
    }
    call = "queryTermAccount" if tid else "queryMerAccount"
    assert question.path == f"/api/v2/mcqs/merchant/{call}"
    assert wire.read_question(question.path, body) == question
    assert checked(authorization(body), body) == wire.Signed("OP00000003", "n1")


def test_the_parts_of_an_authorization_come_in_any_order() -> None:
    scheme, _, rest = authorization(b"{}").partition(" ")
    turned = ", ".join(reversed(rest.split(",")))
    assert checked(f"{scheme} {turned}", b"{}").nonce == "n1"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("LKLAPI", "WECHAT", "Authorization"),
        (",nonce_str=", ",nonce=", "Authorization"),
        ('appid="', 'appid="x",appid="', "Authorization"),
        ('"n1"', '"n 1"', "nonce_str"),
        ('"n1"', '"n2"', "signature"),
        ('"1790000000"', '"1790000001"', "signature"),
        ('"1790000000"', '"1789999699"', "timestamp"),
        ('"1790000000"', '"1790000301"', "timestamp"),
        ('"1790000000"', '"x"', "timestamp"),
        ("OP00000003", "OP00000004", "appid"),
        ("00dfba8194c41b84cf", "00dfba8194c41b84ce", "appid"),
        ('signature="', 'signature="!', "signature"),
    ],
)
def test_a_request_that_is_not_accepted(old: str, new: str, field: str) -> None:
    header = authorization(b"{}")
    assert old in header
    with pytest.raises(RemoteError) as caught:
        checked(header.replace(old, new), b"{}")
    assert caught.value.field == field


def test_a_request_by_another_key_or_with_another_body() -> None:
    forger = Caller(*CALLER_ID, OTHER)
    for header, body in (
        (authorization(b"{}", forger), b"{}"),
        (authorization(b"{}"), b"{} "),
    ):
        with pytest.raises(RemoteError) as caught:
            checked(header, body)
        assert caught.value.field == "signature"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reqData": None}, "reqData"),
        ({"reqData": []}, "reqData"),
        ({"version": "3.0"}, "version"),
        ({"reqId": ""}, "reqId"),
        ({"reqData": {"merCupNo": MID, "orderNo": "1"}}, "termNo"),
        ({"reqData": {"merCupNo": MID, "orderNo": "1", "termNo": 1}}, "termNo"),
        ({"reqData": {"merCupNo": "a b", "orderNo": "1", "termNo": "1"}}, "merCupNo"),
        ({"reqData": {"merCupNo": MID, "termNo": "1"}}, "orderNo"),
    ],
)
def test_a_request_with_a_wrong_field(change: dict[str, object], field: str) -> None:
    fields = json.loads(wire.build_request(ASKED, req_time="20261123120000"))
    body = json.dumps({**fields, **change}).encode()
    with pytest.raises(RemoteError) as caught:
        wire.read_question(ASKED.path, body)
    assert caught.value.field == field


def test_what_cannot_be_asked() -> None:
    for wrong in (("", "1", "1"), (MID, "1 2", "1"), (MID, "1", ""), ("1\n", "1", "1")):
        with pytest.raises(LocalError):
            Question(*wrong)
    with pytest.raises(LocalError, match="termNo"):
        Question(MID, "1", "1", "")
    with pytest.raises(LocalError):
        wire.build_request(ASKED, req_time="2026-11-23")
    with pytest.raises(LocalError):
        wire.build_authorization(CALLER, b"", timestamp=NOW, nonce="a,b")
    with pytest.raises(LocalError):
        Caller('a"b', "1", KEY)


# The answer.


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (wire.APPID, "OP00000004"),
        (wire.SERIAL, "1 f"),
        (wire.TIMESTAMP, str(NOW - 301)),
        (wire.TIMESTAMP, str(NOW + 301)),
        (wire.TIMESTAMP, "now"),
        (wire.NONCE, "n\n2"),
        (wire.SIGNATURE, "AAAA"),
        (wire.SIGNATURE, "no base64"),
        (wire.SIGNATURE, "渠道"),
        *((name, None) for name in signed(b"")),
    ],
)
def test_an_answer_with_a_wrong_or_missing_header(header: str, text: str) -> None:
    body = answered()
    headers = signed(body)
    check(headers, body)
    changed = {**headers, header: text} if text else {**headers, header: ""}
    with pytest.raises(RemoteError) as caught:
        check(changed, body)
    assert caught.value.field == header
    if text is None:
        with pytest.raises(RemoteError):
            check({n: t for n, t in headers.items() if n != header}, body)


@pytest.mark.parametrize("header", [wire.SERIAL, wire.TIMESTAMP, wire.NONCE])
def test_a_changed_header_breaks_the_signature(header: str) -> None:
    body = answered()
    headers = signed(body)
    other = {wire.SERIAL: "2f", wire.TIMESTAMP: str(NOW + 1), wire.NONCE: "n3"}
    with pytest.raises(RemoteError) as caught:
        check({**headers, header: other[header]}, body)
    assert caught.value.field == wire.SIGNATURE


def test_an_answer_by_another_key_or_with_another_body() -> None:
    body = answered()
    with pytest.raises(RemoteError, match="signature does not fit"):
        check(signed(body), body, Platform(OTHER.public_key()))
    with pytest.raises(RemoteError, match="signature does not fit"):
        check(signed(body), body + b" ")


def test_a_certificate_has_a_serial_to_compare() -> None:
    body = answered()
    platform = Platform.of_certificate(certificate_pem(KEY, 0x1F))
    for same in ("1f", "1F", "001f"):
        check(signed(body, serial=same), body, platform)
    for other in ("2f", "31", "xy"):
        with pytest.raises(RemoteError) as caught:
            check(signed(body, serial=other), body, platform)
        assert caught.value.field == wire.SERIAL


@pytest.mark.req("R48")
@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (OLD, "621234******1265"),
        ("62123456****1265", "621234******1265"),
        ("62************65", "62************65"),
        ("6212345678901", "*********8901"),
    ],
)
def test_the_account_is_masked_by_our_rule(number: str, shown: str) -> None:
    body = answered(acctNo=number, acctName="全渠道")
    found = parsed(body)
    assert found.account == shown
    told = f"{found!r} {wire.parse_answer(body)!r}"
    assert "全渠道" not in told
    assert OLD not in told


@pytest.mark.parametrize(
    ("fields", "bank", "kind"),
    [
        ({}, "", ""),
        ({"openningBankName": "某银行", "acctTypeCode": "57"}, "某银行", "57"),
        ({"acctOpenBankName": "某银行", "acctTypeCode": "99"}, "某银行", "99"),
    ],
)
def test_what_an_answer_may_tell(fields: dict[str, str], bank: str, kind: str) -> None:
    found = parsed(answered(**fields))
    assert (found.bank, found.kind) == (bank, kind)


def test_an_answer_need_not_repeat_the_question() -> None:
    body = json.dumps({"code": "000000", "respData": {"acctNo": OLD}}).encode()
    assert parsed(body).account == "621234******1265"


@pytest.mark.req("R38")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"merCupNo": "898110054110002"}, "merCupNo"),
        ({"termNo": "11000002"}, "termNo"),
        ({"orderNo": "1"}, "orderNo"),
        ({"merCupNo": 1}, "merCupNo"),
        ({"acctNo": ""}, "acctNo"),
        ({"acctNo": "****************"}, "acctNo"),
        ({"acctNo": "12345"}, "acctNo"),
        ({"acctNo": "1" * 41}, "acctNo"),
        ({"acctNo": "６２１２３４５６７８９０１２６５"}, "acctNo"),
        ({"acctNo": 6212345678901265}, "acctNo"),
        ({"acctTypeCode": 57}, "acctTypeCode"),
        ({"openningBankName": {}}, "openningBankName"),
    ],
)
def test_an_answer_that_is_not_believed(changes: dict[str, object], field: str) -> None:
    with pytest.raises(RemoteError) as caught:
        parsed(answered(**changes))  # type: ignore[arg-type]
    assert caught.value.field == field
    assert OLD not in str(caught.value)


def test_an_answer_to_another_request() -> None:
    body = wire.build_answer(wire.OK, "", {"acctNo": OLD}, req_id="cd" * 16)
    with pytest.raises(RemoteError) as caught:
        parsed(body)
    assert caught.value.field == "reqId"


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b'{"retCode":"100001","retMsg":"no"}', "100001", "no"),
        (b'{"code":"A1","msg":"no","respData":null}', "A1", "no"),
        (b'{"retCode":"1","code":"000000"}', "1", ""),
    ],
)
def test_refusals_of_both_versions(body: bytes, code: str, text: str) -> None:
    answer = wire.parse_answer(body)
    assert (answer.code, answer.text, answer.ok) == (code, text, False)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b"\xff", b'{"retCode":0}', b'{"retCode":"a b"}'),
        *(b'{"retCode":"0","retMsg":1}', b'{"retCode":"0","respData":[]}'),
        *(b'{"retCode":"0","retCode":"000000"}', b"[" * 100_000),
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(RemoteError):
        wire.parse_answer(body)


def test_keys_that_are_none() -> None:
    weak = generate_private_key(65537, 1024)  # noqa: S505 (refused below)
    curve = ec.generate_private_key(ec.SECP256R1())
    locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    for pem in ("", "x", locked, private_pem(weak), private_pem(curve)):
        with pytest.raises(LocalError):
            load_private_key(pem)
    for pem in ("", "渠道", public_pem(weak), public_pem(curve)):
        with pytest.raises(LocalError):
            load_public_key(pem)
    for pem in ("", public_pem(KEY), certificate_pem(curve, 1)):
        with pytest.raises(LocalError):
            Platform.of_certificate(pem)
    assert is_signed(load_public_key(public_pem(KEY)), b"x", sign(KEY, b"x"))


# Garbage.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*ASKED.fields, "acctNo", "acctTypeCode", "reqData"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
bodies = st.binary(max_size=60) | st.dictionaries(
    st.sampled_from(["retCode", "code", "respData", "reqId", "reqData", "version"]),
    json_values | st.sampled_from([wire.OK, wire.VERSION]),
).map(lambda fields: json.dumps(fields).encode())


@settings(max_examples=150, deadline=None)
@given(bodies)
def test_any_bytes_parse_or_are_the_others_fault(body: bytes) -> None:
    try:
        parsed(body)
    except RemoteError:
        pass
    for path in (wire.MERCHANT_ACCOUNT, wire.TERMINAL_ACCOUNT):
        try:
            wire.read_question(path, body)
        except RemoteError:
            pass


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(
        st.tuples(
            st.sampled_from(["appid", "serial_no", "timestamp", "nonce_str"]),
            st.text(max_size=10) | st.sampled_from([*CALLER_ID, str(NOW), "n1"]),
        )
    ).map(
        lambda pairs: (
            "LKLAPI-SHA256withRSA "
            + ",".join(f'{n}="{t}"' for n, t in [*pairs, ("signature", "AAAA")])
        )
    ),
    st.dictionaries(st.sampled_from(list(signed(b""))), st.text(max_size=20)),
    st.binary(max_size=20),
)
def test_no_other_header_is_a_signature(
    header: str, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(RemoteError):
        checked(header, body)
    with pytest.raises(RemoteError):
        check({**signed(b""), **headers}, body + b"x")
