"""The verification service's own format: what is sealed, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols import verification as wire
from protocols.errors import LocalError, RemoteError
from protocols.verification import Answer, Elements, Payment

KEY, OTHER = X25519PrivateKey.generate(), X25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
# Published: see docs/test-data.md.
ASKED = Elements(
    "AB2C-D3E4F", "全渠道", "341126197709218366", "6216261000000000018", "13552535506"
)
PAID = Payment(ASKED.order, ASKED.name, ASKED.account)
PATHS = (wire.ELEMENTS, wire.SEND, wire.CHECK, wire.PAYMENT)
FULL = Answer(*wire.OK, "好", "r-1", 60, 60, 2)


def changed(body: bytes, **parts: Any) -> bytes:
    return json.dumps({**json.loads(body), **parts}).encode()


def test_what_was_sealed_opens() -> None:
    assert wire.open_elements(wire.build_elements(ASKED, PUBLIC), KEY) == ASKED
    body = wire.build_check("r-1", "123456", PUBLIC)
    assert wire.open_check(body, KEY) == ("r-1", "123456")
    assert wire.read_send(wire.build_send("r-1")) == "r-1"
    assert wire.open_payment(wire.build_payment(PAID, PUBLIC), KEY) == PAID


@pytest.mark.req("R48")
def test_nothing_sensitive_is_in_a_body_or_shown() -> None:
    bodies = (
        wire.build_elements(ASKED, PUBLIC).decode()
        + wire.build_check("r-1", "123456", PUBLIC).decode()
        + wire.build_payment(PAID, PUBLIC).decode()
        + repr(ASKED)
        + repr(PAID)
    )
    for secret in (ASKED.name, ASKED.id_number, ASKED.account, ASKED.mobile, "123456"):
        assert secret not in bodies


def test_a_box_is_good_for_its_call_and_order_only() -> None:
    body = wire.build_elements(ASKED, PUBLIC)
    sealed = json.loads(body)["sealed"]
    check = json.dumps({"ref": ASKED.order, "sealed": sealed}).encode()
    for refused in (changed(body, order="AB2C-D3E4G"), changed(body, sealed="AA==")):
        with pytest.raises(RemoteError):
            wire.open_elements(refused, KEY)
    with pytest.raises(RemoteError):
        wire.open_elements(body, OTHER)
    with pytest.raises(RemoteError):
        wire.open_check(check, KEY)


@pytest.mark.req("R29")
def test_a_payment_is_of_its_order_and_no_other_call() -> None:
    body = wire.build_payment(PAID, PUBLIC)
    with pytest.raises(RemoteError):
        wire.open_payment(changed(body, order="AB2C-D3E4G"), KEY)
    with pytest.raises(RemoteError):
        wire.open_payment(body, OTHER)
    with pytest.raises(RemoteError):  # more is in it, and it is for another call
        wire.open_payment(wire.build_elements(ASKED, PUBLIC), KEY)
    with pytest.raises(RemoteError):
        wire.open_elements(body, KEY)


@pytest.mark.req("R29")
def test_a_payment_that_arrived_has_a_ref() -> None:
    body = wire.build_answer(wire.PAYMENT, FULL)
    with pytest.raises(RemoteError):
        wire.parse_answer(wire.PAYMENT, changed(body, ref=""))
    busy = changed(body, ref="", code="91")
    assert wire.parse_answer(wire.PAYMENT, busy).said == wire.BUSY


@pytest.mark.parametrize("path", PATHS)
def test_each_answer_has_its_parts_and_no_others(path: str) -> None:
    body = wire.build_answer(path, FULL)
    parsed = wire.parse_answer(path, body)
    assert wire.build_answer(path, parsed) == body
    with pytest.raises(RemoteError):
        wire.parse_answer(path, changed(body, more=1))
    for name in json.loads(body):
        less = {k: v for k, v in json.loads(body).items() if k != name}
        with pytest.raises(RemoteError):
            wire.parse_answer(path, json.dumps(less).encode())


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (wire.ELEMENTS, {"code": 0}),
        (wire.ELEMENTS, {"code": ""}),
        (wire.ELEMENTS, {"namespace": "CUP POS"}),
        (wire.ELEMENTS, {"text": "a\nb"}),
        (wire.ELEMENTS, {"text": "\ud800"}),
        (wire.ELEMENTS, {"text": "x" * 201}),
        (wire.ELEMENTS, {"ref": None}),
        (wire.ELEMENTS, {"ref": 0}),
        (wire.ELEMENTS, {"ref": "../x"}),
        (wire.SEND, {"left": True}),
        (wire.SEND, {"left": -1}),
        (wire.SEND, {"left": 1.0}),
        (wire.SEND, {"expires_seconds": 10**9}),
        (wire.CHECK, {"left": "2"}),
        (wire.PAYMENT, {"ref": None}),
        (wire.PAYMENT, {"code": "A2 "}),
    ],
)
def test_an_answer_of_another_form_is_refused(path: str, parts: dict[str, Any]) -> None:
    body = wire.build_answer(path, FULL)
    wire.parse_answer(path, changed(body))
    with pytest.raises(RemoteError):
        wire.parse_answer(path, changed(body, **parts))


@pytest.mark.parametrize(
    "parts",
    [
        {"name": ""},
        {"name": "\ud800"},
        {"id_number": ""},
        {"id_number": "34112619770921836x"},
        {"account": "12345"},
        {"mobile": "+8613552535506"},
        {"order": "a b"},
    ],
)
def test_what_is_of_another_form_is_not_sent_nor_quoted(parts: dict[str, str]) -> None:
    asked = Elements(**{**vars(ASKED), **parts})
    with pytest.raises(LocalError) as caught:
        wire.build_elements(asked, PUBLIC)
    assert not any(text and text in str(caught.value) for text in parts.values())


@pytest.mark.parametrize(
    "parts", [{"name": ""}, {"account": "12345"}, {"account": "1" * 41}, {"order": ""}]
)
def test_a_payment_of_another_form_is_not_sent_nor_quoted(
    parts: dict[str, str],
) -> None:
    with pytest.raises(LocalError) as caught:
        wire.build_payment(Payment(**{**vars(PAID), **parts}), PUBLIC)
    assert not any(text and text in str(caught.value) for text in parts.values())


def test_a_key_that_is_none_seals_nothing() -> None:
    for key in (b"", b"\x01" * 31, bytes(32)):
        with pytest.raises(LocalError):
            wire.build_elements(ASKED, key)


def reads(body: bytes) -> None:
    for path in PATHS:
        try:
            wire.parse_answer(path, body)
        except RemoteError:
            pass
    for read in (wire.open_elements, wire.open_check, wire.open_payment):
        with pytest.raises(RemoteError):
            read(body, KEY)  # type: ignore[operator]
    try:
        wire.read_send(body)
    except RemoteError:
        pass


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_the_peers_fault(body: bytes) -> None:
    reads(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ("namespace", "code", "text", "ref", "left", "sealed", "order", "expires_seconds")
)


@given(st.dictionaries(NAMES, JSON))
def test_any_object_parses_or_is_the_peers_fault(data: dict[str, Any]) -> None:
    reads(json.dumps(data).encode())
