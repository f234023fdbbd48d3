"""ChinaUMS's wire format: against openssl, both ends against each other, garbage."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tracemalloc
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import chinaums as wire
from protocols.chinaums import Credentials, RequestError
from protocols.errors import LocalError, RemoteError

KEY = b"0123456789abcdefABCDEF!?"
CREDENTIALS = Credentials("office1", KEY)
HEAD = {"request_seq": "A1", "request_date": "20261123120000"}


def built(**params: object) -> bytes:
    return wire.build_request("alter_qry", params, CREDENTIALS, **HEAD)


def find_key(accesser_id: str) -> bytes | None:
    return KEY if accesser_id == "office1" else None


def refused(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        wire.open_request(body, find_key)
    return caught.value


def changed(body: bytes, **fields: str) -> bytes:
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return urlencode({**form, **fields}).encode()


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
@pytest.mark.parametrize("remark", ["", "渠道 & 小店=1", "x" * 8])
def test_openssl_decrypts_what_was_built(remark: str) -> None:
    form = parse_qs(built(remark=remark).decode())
    command = ["openssl", "enc", "-d", "-des-ede3", "-K", KEY.hex()]
    sealed = bytes.fromhex(form["json_data"][0])
    plain = subprocess.run(command, input=sealed, capture_output=True, check=True)
    assert json.loads(plain.stdout) == {
        "service": "alter_qry",
        "accesser_id": "office1",
        "sign_type": "SHA-256",
        **HEAD,
        "remark": remark,
    }
    digest = ["openssl", "dgst", "-sha256", "-r"]
    signed = subprocess.run(
        digest, input=plain.stdout, capture_output=True, check=True, text=False
    )
    assert signed.stdout.split()[0].decode() == form["sign_data"][0]
    assert form["accesser_id"] == ["office1"]


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
def test_opens_what_openssl_encrypted() -> None:
    # Another order of the keys, and white space: the bytes sent are what is signed.
    fields = {**HEAD, "sign_type": "SHA-256", "service": "alter_qry"}
    text = json.dumps({**fields, "accesser_id": "office1"}, indent=2).encode()
    command = ["openssl", "enc", "-des-ede3", "-K", KEY.hex()]
    sealed = subprocess.run(command, input=text, capture_output=True, check=True)
    form = {
        "json_data": sealed.stdout.hex(),
        "sign_data": hashlib.sha256(text).hexdigest().upper(),
        "accesser_id": "office1",
    }
    opened = wire.open_request(urlencode(form).encode(), find_key)
    assert opened["service"] == "alter_qry"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = texts | st.integers(-(2**53), 2**53) | st.lists(texts, max_size=3) | st.none()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(texts, values, max_size=4))
def test_round_trip(params: dict[str, object]) -> None:
    params = {f"p_{name}": value for name, value in params.items()}
    opened = wire.open_request(built(**params), find_key)
    assert {k: v for k, v in opened.items() if k.startswith("p_")} == params


@given(
    st.sampled_from([0, 1, 48 * 1024, 96 * 1024]),
    st.integers(0, 24),
    st.integers(1, 30),
)
def test_a_picture_made_piece_by_piece_is_the_request(
    most: int, more: int, seq: int
) -> None:
    data = bytes(n % 251 for n in range(most + more))
    text = base64.b64encode(data).decode()
    params = {"pic_base64": f"data:image/png;base64,{text}"}
    head = {**HEAD, "request_seq": "A" * seq}
    whole = wire.build_request("pic_upload", params, CREDENTIALS, **head)
    sealed = wire.SealedPicture("image/png", data, CREDENTIALS, **head)
    assert len(sealed) == len(whole)
    for _ in range(2):
        assert b"".join(sealed) == whole
    assert wire.base64_size(len(data)) == len(text)


@pytest.mark.req("R7")
def test_a_picture_is_not_held_again_while_it_is_sent() -> None:
    data = bytes(1_500_000)
    tracemalloc.start()
    try:
        sealed = wire.SealedPicture("image/png", data, CREDENTIALS, **HEAD)
        sent = sum(map(len, sealed))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent > 4_000_000
    assert peak < len(data) / 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", wire.BAD_FIELD),
        (b"\xff", wire.BAD_JSON),
        (b"json_data=00", wire.BAD_FIELD),
        (built() + b"&accesser_id=office1", wire.BAD_FIELD),
        (changed(built(), accesser_id="office2"), wire.BAD_CIPHER),
        (changed(built(), json_data="0011"), wire.BAD_CIPHER),
        (changed(built(), json_data="zz"), wire.BAD_CIPHER),
        (changed(built(), sign_data="00" * 32), wire.BAD_SIGNATURE),
        (changed(built(), sign_data="渠道"), wire.BAD_SIGNATURE),
        (wire.seal_json(b"[]", CREDENTIALS), wire.BAD_JSON),
        (wire.seal_json(b"{", CREDENTIALS), wire.BAD_JSON),
        (wire.seal_json(b'{"a":1,"a":1}', CREDENTIALS), wire.BAD_JSON),
        (wire.seal_json(b"{}", CREDENTIALS), wire.BAD_FIELD),
    ],
)
def test_the_service_refuses(body: bytes, code: str) -> None:
    assert refused(body).res_code == code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request_seq", "A" * 31),
        ("request_seq", ""),
        ("request_seq", 1),
        ("request_date", "2026-11-23"),
        ("sign_type", "MD5"),
        ("accesser_id", "office2"),
        ("service", None),
    ],
)
def test_the_service_refuses_a_head_field(name: str, value: object) -> None:
    head = {"service": "alter_qry", "accesser_id": "office1", "sign_type": "SHA-256"}
    text = json.dumps({**head, **HEAD, name: value}).encode()
    error = refused(wire.seal_json(text, CREDENTIALS))
    assert (error.res_code, error.field) == (wire.BAD_FIELD, name)


def test_another_key_is_refused_as_undecryptable_or_unsigned() -> None:
    other = Credentials("office1", KEY[::-1])
    body = wire.build_request("alter_qry", {}, other, **HEAD)
    assert refused(body).res_code in {wire.BAD_CIPHER, wire.BAD_SIGNATURE}


@given(st.binary(max_size=200))
def test_garbage_is_a_remote_error_only(data: bytes) -> None:
    reads = (
        wire.parse_answer,
        lambda b: wire.open_request(b, find_key),
        lambda b: wire.open_notice(b, CREDENTIALS),
    )
    for read in reads:
        with pytest.raises(RemoteError):
            read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b"[]",
        b"{}",
        b'{"res_code": 0}',
        b'{"res_code": ""}',
        b'{"res_code": "0000", "res_code": "0000"}',
        b'{"res_code": "0000", "x": NaN}',
        b'{"res_code": "0000"} {}',
        b'{"res_code": "\xff"}',
        b"[" * 100_000,
        b'{"res_code": "0000", "x": ' + b"1" * 5000 + b"}",
    ],
)
def test_answers_of_a_wrong_form(data: bytes) -> None:
    with pytest.raises(RemoteError):
        wire.parse_answer(data)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(texts, values, max_size=4))
def test_a_notice_comes_back_with_or_without_the_accessers_name(
    fields: dict[str, object],
) -> None:
    fields = {f"p_{name}": value for name, value in fields.items()}
    named = wire.build_notice(fields, CREDENTIALS)
    unnamed, _, rest = named.partition(b"&accesser_id=")
    assert rest == b"office1"
    for body in (named, unnamed):
        opened = wire.open_notice(body, CREDENTIALS)
        assert opened == {"service_type": "alter_notify", **fields}


def test_an_answer_and_its_fields() -> None:
    body = wire.build_answer(wire.OK, {"terminals": "1,2", "n": 1, "none": None})
    answer = wire.parse_answer(body)
    assert (answer.ok, answer.text("terminals")) == (True, "1,2")
    assert (answer.optional("none"), answer.optional("absent")) == ("", "")
    for name in ("n", "absent", "none"):
        with pytest.raises(RemoteError, match=name):
            answer.text(name)


@pytest.mark.parametrize("key", [b"short", KEY + b"x", b"\xff" * 24])
def test_keys_of_a_wrong_form(key: bytes) -> None:
    with pytest.raises(LocalError):
        Credentials("office1", key)


@pytest.mark.parametrize(
    "head",
    [
        {"request_seq": "A" * 31, "request_date": "20261123120000"},
        {"request_seq": "A1", "request_date": "today"},
    ],
)
def test_requests_that_cannot_be_sent(head: dict[str, str]) -> None:
    with pytest.raises(LocalError):
        wire.build_request("alter_qry", {}, CREDENTIALS, **head)
    with pytest.raises(LocalError):
        wire.SealedPicture("image/png", b"x", CREDENTIALS, **head)
    with pytest.raises(LocalError):
        wire.build_request("alter_qry", {"service": "x"}, CREDENTIALS, **HEAD)


@pytest.mark.req("R48")
def test_neither_key_nor_fields_are_shown() -> None:
    answer = wire.parse_answer(wire.build_answer(wire.OK, {"x": "6212345678901265"}))
    shown = f"{CREDENTIALS!r} {CREDENTIALS} {answer!r}"
    assert KEY.decode() not in shown
    assert "6212345678901265" not in shown
