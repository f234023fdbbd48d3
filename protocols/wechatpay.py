"""WeChat Pay's partner API v3, as far as a settlement account is changed: both ends.

A request carries ``Authorization: WECHATPAY2-SHA256-RSA2048`` with a signature of the
caller over method, URL, time, nonce and body; an answer carries the platform's over
time, nonce and body. Numbers and names are sealed under the platform's public key
(RSA-OAEP with SHA-1, the company's choice).

An answer's signature binds it to no request: that an answer belongs to the question
is what TLS shows, and nothing else.

Source: pay.weixin.qq.com, partner documentation: signing and checking of API v3; the
calls modify-settlement, get-application and get-settlement.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1

from protocols.errors import LocalError, RemoteError
from protocols.jsonobject import read_object
from protocols.rsasha256 import is_signed, sign
from protocols.sensitive import AccountNumber

SCHEME = "WECHATPAY2-SHA256-RSA2048"
MERCHANTS = "/v3/apply4sub/sub_merchants/"
CONTENT_TYPE = "application/json"
AGE_LIMIT = 300
"""Seconds by which a signature's time may differ from the reader's."""

TIMESTAMP = "wechatpay-timestamp"
NONCE = "wechatpay-nonce"
SIGNATURE = "wechatpay-signature"
SERIAL = "wechatpay-serial"
SIGNATURE_TYPE = "wechatpay-signature-type"

BUSINESS, PRIVATE = "ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE"
MASK_V1, MASK_V2 = "ACCOUNT_NUMBER_RULE_MASK_V1", "ACCOUNT_NUMBER_RULE_MASK_V2"
_SHOWN: Mapping[str, tuple[int, int]] = {MASK_V1: (2, 2), MASK_V2: (6, 4)}

AUDITING, AUDIT_SUCCESS, AUDIT_FAIL = "AUDITING", "AUDIT_SUCCESS", "AUDIT_FAIL"
VERIFYING, VERIFY_SUCCESS = "VERIFYING", "VERIFY_SUCCESS"
VERIFY_FAIL = "VERIFY_FAIL"

PARAM_ERROR, INVALID_REQUEST = "PARAM_ERROR", "INVALID_REQUEST"
SIGN_ERROR, NO_AUTH, NOT_FOUND = "SIGN_ERROR", "NO_AUTH", "ORDER_NOT_EXIST"
RATE_LIMIT, FREQUENCY = "RATELIMIT_EXCEEDED", "FREQUENCY_LIMIT"
SYSTEM_ERROR = "SYSTEM_ERROR"
STATUS: Mapping[str, int] = {
    PARAM_ERROR: 400,
    INVALID_REQUEST: 400,
    SIGN_ERROR: 401,
    NO_AUTH: 403,
    NOT_FOUND: 404,
    RATE_LIMIT: 429,
    FREQUENCY: 429,
    SYSTEM_ERROR: 500,
}
"""The HTTP status that each error code comes with."""

_AUTHORIZED = ("mchid", "nonce_str", "signature", "timestamp", "serial_no")
_PAIR = re.compile(r'([a-z_]+)="([^"]*)"')
_MCHID = re.compile(r"[0-9]{8,10}")
_KEY_ID = re.compile(r"[0-9A-Za-z_]{1,64}")
_NONCE = re.compile(r"[0-9A-Za-z]{1,32}")
_TIME = re.compile(r"[0-9]{1,12}")
_APPLICATION = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MASK = re.compile(r"[0-9*]{4,64}")
_WORD = re.compile(r"[A-Z0-9_]{1,64}")
_AREA = re.compile(r"[0-9]{6}")
_BRANCH = re.compile(r"[0-9]{12}")
_SEALED = ("account_number", "account_name")
_CHANGE_FIELDS = (
    *("account_type", "account_bank", "bank_address_code"),
    *("account_number", "account_name", "bank_name", "bank_branch_id"),
)
_CHANGE_SHAPES: Mapping[str, re.Pattern[str]] = {
    "account_type": re.compile(f"{BUSINESS}|{PRIVATE}"),
    "account_bank": re.compile(r"[^\x00-\x1f]{1,128}"),
    "bank_address_code": _AREA,
    "account_name": re.compile(r"[^\x00-\x1f]{0,128}"),
    "bank_name": re.compile(r"[^\x00-\x1f]{0,128}"),
    "bank_branch_id": re.compile(f"(?:{_BRANCH.pattern})?"),
}


@dataclass(frozen=True)
class Caller:
    """A partner that may call: number, key's serial and private key.

    Raises:
        LocalError: a number or serial of another shape.
    """

    mchid: str
    serial_no: str
    private_key: RSAPrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        _shaped("mchid", self.mchid, _MCHID)
        _shaped("serial_no", self.serial_no, _KEY_ID)


@dataclass(frozen=True)
class Platform:
    """The company's key: its ID (``PUB_KEY_ID_…``) or certificate's serial.

    Raises:
        LocalError: an ID of another shape.
    """

    serial: str
    public_key: RSAPublicKey = field(repr=False)

    def __post_init__(self) -> None:
        _shaped("platform serial", self.serial, _KEY_ID)


@dataclass(frozen=True)
class Change:
    """What ``modify-settlement`` asks for.

    Args:
        account_type: ``BUSINESS`` (a company's account) or ``PRIVATE`` (the
            operator's card).
        account_bank: the bank's name in WeChat Pay's list.
        bank_address_code: the bank's place, six digits.
        account_name: ``""``: the name stays as it is.
        bank_name: the bank's name with its branch, or ``""``.
        bank_branch_id: the branch's CNAPS code, 12 digits, or ``""``.
    """

    account_type: str
    account_bank: str
    bank_address_code: str
    account_number: AccountNumber
    account_name: str = field(default="", repr=False)
    bank_name: str = ""
    bank_branch_id: str = ""


@dataclass(frozen=True)
class Application:
    """Where an application stands: ``result`` is AUDITING, AUDIT_SUCCESS, AUDIT_FAIL
    or a word that is not known yet. ``account_number`` is masked; ``finish_time`` is
    RFC 3339, or ``""`` while it is audited."""

    result: str
    account_number: str
    account_bank: str
    fail_reason: str
    finish_time: str


@dataclass(frozen=True)
class Settlement:
    """The settlement account that the platform shows: ``result`` is VERIFY_SUCCESS,
    VERIFYING, VERIFY_FAIL or a word that is not known yet.

    Only with VERIFY_SUCCESS is it the account in force: after a failed verification
    the NEW account is shown while the old one stays bound.
    """

    result: str
    account_number: str
    account_bank: str
    bank_name: str
    fail_reason: str


@dataclass(frozen=True)
class Refusal:
    """The body of an answer with status 4xx or 5xx."""

    code: str
    message: str


class RequestError(RemoteError):
    """A request that the service refuses; ``code`` is what it answers."""

    def __init__(self, code: str, reason: str, *, field: str | None = None):
        self.code = code
        super().__init__(reason, field=field)


# -- keys and signatures -------------------------------------------------------


def _request_text(
    method: str, target: str, timestamp: str, nonce: str, body: bytes
) -> bytes:
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def _answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def build_authorization(
    caller: Caller,
    method: str,
    target: str,
    body: bytes,
    *,
    timestamp: int,
    nonce: str,
) -> str:
    """The ``Authorization`` header of one request.

    Args:
        target: path and query, as sent.
        timestamp: Unix seconds; WeChat Pay refuses one that is 5 minutes off.
        nonce: 1 to 32 letters and digits, never used before.

    Raises:
        LocalError: a time or nonce of another shape.
    """
    _shaped("timestamp", str(timestamp), _TIME)
    _shaped("nonce", nonce, _NONCE)
    text = _request_text(method, target, str(timestamp), nonce, body)
    signature = sign(caller.private_key, text)
    values = (caller.mchid, nonce, signature, str(timestamp), caller.serial_no)
    pairs = zip(_AUTHORIZED, values, strict=True)
    return f"{SCHEME} " + ",".join(f'{name}="{text}"' for name, text in pairs)


def check_answer(
    headers: Mapping[str, str], body: bytes, platform: Platform, *, now: float
) -> None:
    """Check an answer's (or a notice's) signature.

    Args:
        headers: names in lower case.
        now: Unix seconds.

    Raises:
        RemoteError: with the header at fault: one of the five is missing, another
            scheme or key, 5 minutes old or ahead, or a signature that does not fit.
    """
    for name in (SIGNATURE_TYPE, SERIAL, TIMESTAMP, NONCE, SIGNATURE):
        if not headers.get(name):
            raise RemoteError("header is missing", field=name)
    if headers[SIGNATURE_TYPE] != SCHEME:
        raise RemoteError("another scheme", field=SIGNATURE_TYPE)
    if headers[SERIAL] != platform.serial:
        raise RemoteError("another key", field=SERIAL)
    if not _is_fresh(headers[TIMESTAMP], now):
        raise RemoteError("not a time of now", field=TIMESTAMP)
    text = _answer_text(headers[TIMESTAMP], headers[NONCE], body)
    if not is_signed(platform.public_key, text, headers[SIGNATURE]):
        raise RemoteError("signature does not fit", field=SIGNATURE)


def _is_fresh(timestamp: str, now: float) -> bool:
    if not _TIME.fullmatch(timestamp):
        return False
    return abs(int(timestamp) - now) <= AGE_LIMIT


def seal(text: str, key: RSAPublicKey) -> str:
    """A sensitive field under the platform's key: base64 of RSA-OAEP with SHA-1.

    Raises:
        LocalError: longer than the key can seal (214 bytes for 2048 bits).
    """
    try:
        return base64.b64encode(key.encrypt(text.encode(), _oaep())).decode("ascii")
    except ValueError:
        raise LocalError("a sensitive field is too long to be sealed") from None


def _oaep() -> OAEP:
    # SHA-1 is WeChat Pay's choice; OAEP does not rest on its collision resistance.
    return OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303


# -- the caller's side ---------------------------------------------------------


def change_target(sub_mchid: str) -> str:
    """Where ``modify-settlement`` is POSTed. Raises LocalError: no such number."""
    return f"{_merchant(sub_mchid)}/modify-settlement"


def application_target(sub_mchid: str, application_no: str, rule: str) -> str:
    """Where an application is asked for; ``rule`` is MASK_V1 or MASK_V2.

    Raises:
        LocalError: a number of another shape.
    """
    _shaped("application_no", application_no, _APPLICATION)
    path = f"{_merchant(sub_mchid)}/application/{application_no}"
    return f"{path}?account_number_rule={quote(rule)}"


def settlement_target(sub_mchid: str, rule: str) -> str:
    """Where the settlement account is asked for; ``rule`` as above."""
    return f"{_merchant(sub_mchid)}/settlement?account_number_rule={quote(rule)}"


def _merchant(sub_mchid: str) -> str:
    _shaped("sub_mchid", sub_mchid, _MCHID)
    return MERCHANTS + sub_mchid


def build_change(change: Change, key: RSAPublicKey) -> bytes:
    """The body of ``modify-settlement``, number and name sealed under ``key``.

    Raises:
        LocalError: a field is missing, too long or of another shape.
    """
    wrong = next(_wrong_of(change), None)
    if wrong:
        raise LocalError(f"{wrong} is missing or of a wrong shape")
    name = change.account_name
    optional = {
        "account_name": seal(name, key) if name else "",
        "bank_name": change.bank_name,
        "bank_branch_id": change.bank_branch_id,
    }
    fields = {
        "account_type": change.account_type,
        "account_bank": change.account_bank,
        "bank_address_code": change.bank_address_code,
        "account_number": seal(change.account_number.reveal(), key),
        **{name: text for name, text in optional.items() if text},
    }
    return _json(fields)


def parse_accepted(body: bytes) -> str:
    """The ``application_no`` of an accepted change.

    Raises:
        RemoteError: not a JSON object, or no number in it.
    """
    number = _text(_object(body), "application_no")
    if not _APPLICATION.fullmatch(number):
        raise RemoteError("not a number of an application", field="application_no")
    return number


def parse_application(body: bytes) -> Application:
    """Raises RemoteError: not a JSON object, a field missing or of a wrong shape."""
    fields = _object(body)
    return Application(
        result=_matching(fields, "verify_result", _WORD),
        account_number=_matching(fields, "account_number", _MASK),
        account_bank=_text(fields, "account_bank", empty=True),
        fail_reason=_text(fields, "verify_fail_reason", empty=True),
        finish_time=_text(fields, "verify_finish_time", empty=True),
    )


def parse_settlement(body: bytes) -> Settlement:
    """Raises RemoteError: not a JSON object, a field missing or of a wrong shape."""
    fields = _object(body)
    return Settlement(
        result=_matching(fields, "verify_result", _WORD),
        account_number=_matching(fields, "account_number", _MASK),
        account_bank=_text(fields, "account_bank", empty=True),
        bank_name=_text(fields, "bank_name", empty=True),
        fail_reason=_text(fields, "verify_fail_reason", empty=True),
    )


def parse_refusal(body: bytes) -> Refusal:
    """Raises RemoteError: not a JSON object, or no ``code`` in it."""
    fields = _object(body)
    code = _matching(fields, "code", _WORD)
    return Refusal(code, _text(fields, "message", empty=True))


# -- the service's side --------------------------------------------------------


@dataclass(frozen=True)
class Signed:
    """Who has signed a request, and with which nonce."""

    mchid: str
    nonce: str


def open_request(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    find_key: Callable[[str, str], RSAPublicKey | None],
    *,
    now: float,
) -> Signed:
    """Check a request's ``Authorization``. Whether the nonce is new is not known here.

    Args:
        find_key: gives the key of a caller and serial, None for unknown ones.

    Raises:
        RequestError: SIGN_ERROR.
    """
    given = _read_authorization(headers.get("authorization", ""))
    key = find_key(given["mchid"], given["serial_no"])
    if key is None:
        raise RequestError(SIGN_ERROR, "unknown caller or key", field="serial_no")
    if not _is_fresh(given["timestamp"], now):
        raise RequestError(SIGN_ERROR, "not a time of now", field="timestamp")
    nonce = given["nonce_str"]
    if not _NONCE.fullmatch(nonce):
        raise RequestError(SIGN_ERROR, "not a nonce", field="nonce_str")
    text = _request_text(method, target, given["timestamp"], nonce, body)
    if not is_signed(key, text, given["signature"]):
        raise RequestError(SIGN_ERROR, "signature does not fit", field="signature")
    return Signed(given["mchid"], nonce)


def _read_authorization(text: str) -> dict[str, str]:
    scheme, _, rest = text.partition(" ")
    pairs = [_PAIR.fullmatch(part.strip()) for part in rest.split(",")]
    given = {pair[1]: pair[2] for pair in pairs if pair}
    if scheme != SCHEME or sorted(given) != sorted(_AUTHORIZED) or None in pairs:
        raise RequestError(SIGN_ERROR, "not readable", field="Authorization")
    return given


def open_change(body: bytes, key: RSAPrivateKey) -> Change:
    """Read and unseal a ``modify-settlement`` body.

    Raises:
        RequestError: PARAM_ERROR, with the field.
    """
    fields = read_object(body)
    if fields is None:
        raise RequestError(PARAM_ERROR, "not a JSON object")
    plain = {name: _given(fields, name) for name in _CHANGE_FIELDS}
    change = Change(
        **{name: text for name, text in plain.items() if name not in _SEALED},
        account_number=_number(unseal(plain["account_number"], key)),
        account_name=unseal(plain["account_name"], key),
    )
    for name in _wrong_of(change):
        raise RequestError(PARAM_ERROR, "missing or of a wrong shape", field=name)
    return change


def unseal(text: str, key: RSAPrivateKey) -> str:
    """The other side of ``seal``; ``""`` stays. Raises RequestError PARAM_ERROR."""
    if not text:
        return ""
    try:
        raw = base64.b64decode(text, validate=True)
        return key.decrypt(raw, _oaep()).decode()
    except ValueError:
        raise RequestError(PARAM_ERROR, "not decryptable", field="sealed") from None


def sign_answer(
    body: bytes, serial: str, key: RSAPrivateKey, *, timestamp: int, nonce: str
) -> dict[str, str]:
    """The five headers of ``check_answer``, spelled as they are sent."""
    return {
        "Wechatpay-Timestamp": str(timestamp),
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature-Type": SCHEME,
        "Wechatpay-Signature": sign(key, _answer_text(str(timestamp), nonce, body)),
    }


def build_refusal(code: str, message: str) -> bytes:
    """The other side of ``parse_refusal``."""
    return _json({"code": code, "message": message})


def build_fields(fields: Mapping[str, str]) -> bytes:
    """The body of an answer: the fields that are not empty."""
    return _json({name: text for name, text in fields.items() if text})


def masked(number: str, rule: str) -> str:
    """As the platform shows a number: MASK_V1 keeps the first 2 and last 2 digits,
    MASK_V2 the first 6 and last 4; a number too short for that shows nothing."""
    head, tail = _SHOWN[rule]
    hidden = len(number) - head - tail
    if hidden < 1:
        return "*" * len(number)
    return number[:head] + "*" * hidden + number[-tail:]


# -- shapes --------------------------------------------------------------------


def _wrong_of(change: Change) -> Iterator[str]:
    for name, shape in _CHANGE_SHAPES.items():
        if not shape.fullmatch(getattr(change, name)):
            yield name


def _shaped(name: str, text: str, shape: re.Pattern[str]) -> None:
    if not shape.fullmatch(text):
        raise LocalError(f"{name} has not the right shape")


def _json(fields: Mapping[str, str]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _object(body: bytes) -> dict[str, Any]:
    fields = read_object(body)
    if fields is None:
        raise RemoteError("not a JSON object")
    return fields


def _text(fields: Mapping[str, Any], name: str, *, empty: bool = False) -> str:
    value = fields.get(name)
    if value is None and empty:
        return ""
    if not isinstance(value, str) or not (value or empty):
        raise RemoteError("missing or not text", field=name)
    return value


def _matching(fields: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    text = _text(fields, name)
    if not shape.fullmatch(text):
        raise RemoteError("of a wrong shape", field=name)
    return text


def _given(fields: Mapping[str, Any], name: str) -> str:
    try:
        return _text(fields, name, empty=True)
    except RemoteError as error:
        raise RequestError(PARAM_ERROR, error.reason, field=name) from None


def _number(text: str) -> AccountNumber:
    try:
        if not (text.isascii() and text.isdigit()):
            raise ValueError
        return AccountNumber(text)
    except ValueError:
        raise RequestError(PARAM_ERROR, "wrong", field="account_number") from None
