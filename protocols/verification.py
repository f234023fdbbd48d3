"""posctl-verification 1: four elements, a one-time code, a payment of 0.01 yuan.

**This format is posctl's own, no real provider's.** No payment company offers these
checks by a public call; it is the interface for a service that does, and the emulator
has the one that there is. Told in ``docs/verification-service.md``.

Four POSTs of JSON, an object each way; every answer has status 200. What is sensitive
is sealed inside TLS too: HPKE base mode (RFC 9180; DHKEM(X25519, HKDF-SHA256),
HKDF-SHA256, AES-256-GCM) to the service's key, bound to the call and to what it is
about, in base64 (RFC 4648, section 4).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)

from protocols.errors import LocalError, RemoteError
from protocols.jsonobject import read_object

ELEMENTS = "/posctl-verification/v1/elements"
SEND = "/posctl-verification/v1/otp/send"
CHECK = "/posctl-verification/v1/otp/check"
PAYMENT = "/posctl-verification/v1/payment"
CONTENT_TYPE = "application/json"

CUP_POS = "cup-pos"
"""UnionPay's POS response codes (field 39): used wherever one of them fits."""
OWN = "posctl-verification"
"""Codes of this format, where none of those fits."""

OK = (CUP_POS, "00")
MISMATCH = (CUP_POS, "05")
PROCESSING = (CUP_POS, "09")
INVALID = (CUP_POS, "12")
NO_SUCH_CARD = (CUP_POS, "14")
NOT_ACTIVATED = (CUP_POS, "21")
NO_SUCH_CHECK = (CUP_POS, "25")
LOCKED = (CUP_POS, "38")
UNSUPPORTED = (CUP_POS, "40")
USED_UP = (CUP_POS, "65")
LATE = (CUP_POS, "68")
BUSY = (CUP_POS, "91")
DUPLICATE = (CUP_POS, "94")
NO_ANSWER = (CUP_POS, "98")
NO_PHONE = (CUP_POS, "P1")
UNDECIDED = (PROCESSING, LATE, DUPLICATE, NO_ANSWER)
"""Of a payment: it was or may have been made; how it ended is to be asked for."""
DEFECTIVE = tuple((CUP_POS, code) for code in ("A2", "A4", "A5", "A6"))
"""A "defective success" of a payment: made, but not known to be credited as asked."""
WRONG_CODE = (OWN, "otp-wrong")
EXPIRED = (OWN, "otp-expired")
TOO_SOON = (OWN, "otp-soon")
"""One that was sent still counts: no other is sent before ``resend_seconds``."""

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_PRINTED = r"[^\x00-\x1f\x7f\ud800-\udfff]"
_REF = re.compile(r"[0-9A-Za-z-]{1,64}")
_LARGEST_COUNT = 1_000_000
_PERSON = {
    "name": re.compile(rf"{_PRINTED}{{1,100}}"),
    "id_number": re.compile(r"[0-9]{17}[0-9X]"),
    "account": re.compile(r"[0-9]{6,40}"),
    "mobile": re.compile(r"[0-9]{11}"),
}
_HOLDER = {name: _PERSON[name] for name in ("name", "account")}
_CODE = {"otp": re.compile(r"[0-9]{6}")}
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    ELEMENTS: ("ref",),
    SEND: ("expires_seconds", "resend_seconds", "left"),
    CHECK: ("left",),
    PAYMENT: ("ref",),
}
_HEAD = {
    "namespace": re.compile(r"[0-9a-z-]{1,32}"),
    "code": re.compile(r"[0-9A-Za-z-]{1,20}"),
    "text": re.compile(rf"{_PRINTED}{{0,200}}"),
}


@dataclass(frozen=True, repr=False)
class Elements:
    """What is asked: do these four belong together? Never shown.

    Args:
        order: whose check it is, 1 to 64 of ``[0-9A-Za-z-]``. The same question under
            the same order is answered as before, and counts once.
        id_number: 18 places, GB 11643; a last ``X`` in upper case.
        account: 6 to 40 digits.
        mobile: 11 digits.
    """

    order: str
    name: str
    id_number: str
    account: str
    mobile: str

    def __repr__(self) -> str:
        return f"Elements({self.order})"


@dataclass(frozen=True, repr=False)
class Payment:
    """What is asked: does 0.01 yuan arrive on this account, under this name?

    Args:
        order: whose payment it is, as in ``Elements``. There is one payment for an
            order: asked again, the service tells of that one and pays nothing.
        name: whom the account is said to belong to.
        account: 6 to 40 digits. Neither is ever shown.
    """

    order: str
    name: str
    account: str

    def __repr__(self) -> str:
        return f"Payment({self.order})"


@dataclass(frozen=True)
class Answer:
    """What the service says. Parts that a call does not have keep their defaults.

    Args:
        text: the service's words, 200 characters at most.
        ref: the check that codes are sent for, or the payment, or ``""``.
        expires_seconds: how long the code that was sent still counts.
        resend_seconds: after how many another one may be sent.
        left: how many codes may still be sent; after a check, how many tries are left.
    """

    namespace: str
    code: str
    text: str = ""
    ref: str = ""
    expires_seconds: int = 0
    resend_seconds: int = 0
    left: int = 0

    @property
    def said(self) -> tuple[str, str]:
        """Namespace and code: neither means anything without the other."""
        return self.namespace, self.code


# -- asking --------------------------------------------------------------------


def build_elements(asked: Elements, key: bytes) -> bytes:
    """The body for ``ELEMENTS``, sealed to the service's 32-byte public key.

    Raises:
        LocalError: a part of another form, or no such key; nothing is quoted.
    """
    plain = {name: getattr(asked, name) for name in _PERSON}
    box = _seal(ELEMENTS, asked.order, plain, _PERSON, key)
    return _json({"order": asked.order, "sealed": box})


def build_send(ref: str) -> bytes:
    """The body for ``SEND``. Raises LocalError as ``build_elements``."""
    _check_out(ref, _REF, "ref")
    return _json({"ref": ref})


def build_check(ref: str, otp: str, key: bytes) -> bytes:
    """The body for ``CHECK``, six digits sealed. Raises LocalError as above."""
    return _json({"ref": ref, "sealed": _seal(CHECK, ref, {"otp": otp}, _CODE, key)})


def build_payment(asked: Payment, key: bytes) -> bytes:
    """The body for ``PAYMENT``, sealed. Raises LocalError as ``build_elements``."""
    plain = {name: getattr(asked, name) for name in _HOLDER}
    box = _seal(PAYMENT, asked.order, plain, _HOLDER, key)
    return _json({"order": asked.order, "sealed": box})


def parse_answer(path: str, body: bytes) -> Answer:
    """The answer to a call of ``path``.

    Raises:
        RemoteError: not exactly the parts that this call's answer has.
    """
    data = _object(body, {*_HEAD, *_ANSWERS[path]})
    for name, shape in _HEAD.items():
        _text(data, name, shape)
    if data.get("ref"):
        _text(data, "ref", _REF)
    for name in {"expires_seconds", "resend_seconds", "left"} & data.keys():
        if type(data[name]) is not int or not 0 <= data[name] <= _LARGEST_COUNT:
            raise RemoteError("no count", field=name)
    if not isinstance(data.get("ref", ""), str):
        raise RemoteError("no text of its form", field="ref")
    answer = Answer(**data)
    if path in (ELEMENTS, PAYMENT) and answer.said == OK and not answer.ref:
        raise RemoteError("no ref", field="ref")
    return answer


# -- answering -----------------------------------------------------------------


def open_elements(body: bytes, key: X25519PrivateKey) -> Elements:
    """Raises RemoteError: malformed, or sealed to another key, call or order."""
    data = _object(body, {"order", "sealed"})
    order = _text(data, "order", _REF)
    return Elements(order, **_unseal(ELEMENTS, order, data["sealed"], _PERSON, key))


def read_send(body: bytes) -> str:
    """The ``ref``. Raises RemoteError."""
    return _text(_object(body, {"ref"}), "ref", _REF)


def open_check(body: bytes, key: X25519PrivateKey) -> tuple[str, str]:
    """The ``ref`` and the six digits. Raises RemoteError as ``open_elements``."""
    data = _object(body, {"ref", "sealed"})
    ref = _text(data, "ref", _REF)
    return ref, _unseal(CHECK, ref, data["sealed"], _CODE, key)["otp"]


def open_payment(body: bytes, key: X25519PrivateKey) -> Payment:
    """Raises RemoteError as ``open_elements``."""
    data = _object(body, {"order", "sealed"})
    order = _text(data, "order", _REF)
    return Payment(order, **_unseal(PAYMENT, order, data["sealed"], _HOLDER, key))


def build_answer(path: str, answer: Answer) -> bytes:
    """An answer with the parts that this call's has."""
    parts = (*_HEAD, *_ANSWERS[path])
    return _json({name: getattr(answer, name) for name in parts})


# -- the form ------------------------------------------------------------------


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _object(body: bytes, names: set[str]) -> dict[str, Any]:
    data = read_object(body)
    if data is None:
        raise RemoteError("no JSON object")
    if data.keys() != names:
        raise RemoteError("other parts than this call has")
    return data


def _text(data: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    value = data[name]
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise RemoteError("no text of its form", field=name)
    return value


def _check_out(value: str, shape: re.Pattern[str], name: str) -> None:
    if not shape.fullmatch(value):
        raise LocalError(f"{name} is not of its form")


Shapes = Mapping[str, re.Pattern[str]]


def _info(path: str, about: str) -> bytes:
    return f"posctl-verification 1\n{path}\n{about}".encode()


def _seal(
    path: str, about: str, plain: Mapping[str, str], shapes: Shapes, key: bytes
) -> str:
    _check_out(about, _REF, "order or ref")
    for name, shape in shapes.items():
        _check_out(plain[name], shape, name)
    try:
        public = X25519PublicKey.from_public_bytes(key)
        box = _SUITE.encrypt(_json(plain), public, _info(path, about))
    except ValueError:  # no point of the curve
        raise LocalError("cannot be sealed to this key") from None
    return base64.b64encode(box).decode("ascii")


def _unseal(
    path: str, about: str, box: object, shapes: Shapes, key: X25519PrivateKey
) -> dict[str, str]:
    if not isinstance(box, str):
        raise RemoteError("no text", field="sealed")
    try:
        raw = base64.b64decode(box.encode("ascii"), validate=True)
        plain = _SUITE.decrypt(raw, key, _info(path, about))
    except (InvalidTag, ValueError, binascii.Error):
        raise RemoteError("does not open", field="sealed") from None
    data = _object(plain, set(shapes))
    return {name: _text(data, name, shape) for name, shape in shapes.items()}
