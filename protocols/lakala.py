"""Lakala's open platform, as far as it shows a settlement account: both ends.

Two calls, and both only read: ``queryMerAccount`` (a merchant's account) and
``queryTermAccount`` (that of one terminal). No public call changes an account.

A request carries ``Authorization: LKLAPI-SHA256withRSA`` with the caller's signature
over appid, serial, time, nonce and body, each followed by a line feed; an answer
carries the platform's over the same five, in headers ``Lklapi-…``. Neither names the
path, and nothing binds an answer to its question but TLS and what the body repeats.

What is known, and from where:
    signing, envelope and fields of the requests: the public SDK zkmio/lakala-sdk
        (signatures in base64; the Go client CyJaySong/go-lakala writes them in
        hexadecimal, which no other public client does);
    ``Lklapi-Appid`` is the caller's and ``Lklapi-Serial`` the number of the platform's
        certificate, in hexadecimal: the platform's document 1004, as public clients
        cite it;
    ``retCode``, ``retMsg``, ``respData`` around an answer of version 2: public clients
        of the same family; ``code`` and ``msg``, those of version 3, are read too.
What is doubtful: the fields inside ``respData`` are not public. Read is what the
family's other calls name a settlement account by: ``acctNo`` is required,
``openningBankName`` (so spelled) or ``acctOpenBankName`` and ``acctTypeCode`` are not.
``merCupNo``, ``termNo``, ``orderNo`` and ``reqId`` need not be repeated, but must not
contradict. ``acctName`` is a person's and is never read. No list of error codes is
public: only ``000000`` has a meaning here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from protocols.errors import LocalError, RemoteError
from protocols.jsonobject import read_object
from protocols.rsasha256 import is_signed, long_enough, sign
from protocols.sensitive import mask

SCHEME = "LKLAPI-SHA256withRSA"
MERCHANT_ACCOUNT = "/api/v2/mcqs/merchant/queryMerAccount"
TERMINAL_ACCOUNT = "/api/v2/mcqs/merchant/queryTermAccount"
CONTENT_TYPE = "application/json"
VERSION = "2.0"
AGE_LIMIT = 300
"""Seconds by which a signature's time may differ from the reader's. Ours: how old a
request the platform takes is not public, and its SDK takes an answer of any age."""

OK = "000000"
CORPORATE, PERSONAL = "57", "58"
"""``acctTypeCode``: a company's account (对公), a person's (对私)."""

APPID = "lklapi-appid"
SERIAL = "lklapi-serial"
TIMESTAMP = "lklapi-timestamp"
NONCE = "lklapi-nonce"
SIGNATURE = "lklapi-signature"

_AUTHORIZED = ("appid", "serial_no", "timestamp", "nonce_str", "signature")
_PAIR = re.compile(r'([a-z_]+)="([^"]*)"')
_TOKEN = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NONCE = re.compile(r"[0-9A-Za-z]{1,32}")
_TIME = re.compile(r"[0-9]{1,12}")
_CODE = re.compile(r"[0-9A-Za-z_-]{1,32}")
_ACCOUNT = re.compile(r"(?=.*[0-9])[0-9*]{6,40}")
_REQ_TIME = re.compile(r"[0-9]{14}")
_SHAPES: Mapping[str, re.Pattern[str]] = {
    "merCupNo": re.compile(r"[0-9A-Za-z]{1,32}"),
    "termNo": re.compile(r"[0-9A-Za-z]{1,32}"),
    "orderNo": re.compile(r"[0-9A-Za-z]{1,32}"),
    "reqId": re.compile(r"[0-9A-Za-z]{1,64}"),
}


@dataclass(frozen=True)
class Caller:
    """A party that may call: its number, its certificate's serial, its private key.

    Raises:
        LocalError: a number or serial of another shape.
    """

    appid: str
    serial_no: str
    private_key: RSAPrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        _shaped("appid", self.appid, _TOKEN)
        _shaped("serial_no", self.serial_no, _TOKEN)


@dataclass(frozen=True)
class Platform:
    """The company's key; ``serial`` None: any serial is taken, the key decides."""

    public_key: RSAPublicKey = field(repr=False)
    serial: int | None = None

    @classmethod
    def of_certificate(cls, pem: str) -> Platform:
        """From the platform's certificate, whose dates and issuer are not checked:
        it is pinned. Raises LocalError: no certificate, no RSA, under 2048 bits."""
        try:
            certificate = load_pem_x509_certificate(pem.encode())
            key = certificate.public_key()
        except (ValueError, UnsupportedAlgorithm):
            raise LocalError("platform certificate: no PEM") from None
        return cls(long_enough(key), certificate.serial_number)

    def has_serial(self, text: str) -> bool:
        """Whether a header's (hexadecimal) serial is that of the key held."""
        if self.serial is None:
            return True
        return _is_hex(text) and int(text, 16) == self.serial


@dataclass(frozen=True)
class Question:
    """Whose settlement account is asked for.

    Args:
        mid: ``merCupNo``, the number at UnionPay, 15 characters in practice.
        order_no: never used before by this party; advised are 14 digits of time and
            8 at random.
        req_id: as ``order_no``; the SDK takes 32 hexadecimal digits.
        tid: ``termNo``; None: the merchant's account.

    Raises:
        LocalError: a number of another shape.
    """

    mid: str
    order_no: str
    req_id: str
    tid: str | None = None

    def __post_init__(self) -> None:
        for name, text in {**self.fields, "reqId": self.req_id}.items():
            _shaped(name, text, _SHAPES[name])

    @property
    def path(self) -> str:
        return MERCHANT_ACCOUNT if self.tid is None else TERMINAL_ACCOUNT

    @property
    def fields(self) -> dict[str, str]:
        """``reqData``."""
        asked = {"merCupNo": self.mid, "orderNo": self.order_no}
        return asked if self.tid is None else {**asked, "termNo": self.tid}


@dataclass(frozen=True)
class Answer:
    """An answer: its code, the words for it, what it holds (not shown by ``repr``)."""

    code: str
    text: str
    data: Mapping[str, Any] = field(repr=False)
    req_id: str = ""

    @property
    def ok(self) -> bool:
        return self.code == OK


@dataclass(frozen=True)
class Settlement:
    """A settlement account as shown.

    Args:
        account: masked by our rule, whatever the platform showed.
        bank: the bank's name, or ``""``.
        kind: ``CORPORATE``, ``PERSONAL``, another code, or ``""``.
    """

    account: str
    bank: str
    kind: str


# -- the caller's side ---------------------------------------------------------


def build_request(question: Question, *, req_time: str) -> bytes:
    """The body of the call to ``question.path``.

    Args:
        req_time: yyyyMMddHHmmss, Beijing time.

    Raises:
        LocalError: a time of another shape.
    """
    _shaped("reqTime", req_time, _REQ_TIME)
    head = {"reqId": question.req_id, "reqTime": req_time, "version": VERSION}
    return _json({**head, "reqData": question.fields})


def build_authorization(
    caller: Caller, body: bytes, *, timestamp: int, nonce: str
) -> str:
    """The ``Authorization`` header for exactly these bytes.

    Args:
        timestamp: Unix seconds.
        nonce: 1 to 32 letters and digits, never used before.

    Raises:
        LocalError: a time or nonce of another shape.
    """
    _shaped("timestamp", str(timestamp), _TIME)
    _shaped("nonce", nonce, _NONCE)
    head = (caller.appid, caller.serial_no, str(timestamp), nonce)
    values = (*head, sign(caller.private_key, _signed_text(head, body)))
    pairs = zip(_AUTHORIZED, values, strict=True)
    return f"{SCHEME} " + ",".join(f'{name}="{text}"' for name, text in pairs)


def check_answer(
    headers: Mapping[str, str],
    body: bytes,
    platform: Platform,
    *,
    appid: str,
    now: float,
) -> None:
    """Check an answer's signature.

    Args:
        headers: names in lower case.
        appid: the caller's own.
        now: Unix seconds.

    Raises:
        RemoteError: with the header at fault: one of the five is missing, it is for
            another caller, by another key, 5 minutes old or ahead, or the signature
            does not fit.
    """
    head = [headers.get(name, "") for name in (APPID, SERIAL, TIMESTAMP, NONCE)]
    signature = headers.get(SIGNATURE, "")
    faults = (
        (APPID, head[0] != appid),
        (SERIAL, not (_TOKEN.fullmatch(head[1]) and platform.has_serial(head[1]))),
        (TIMESTAMP, not _is_fresh(head[2], now)),
        (NONCE, not _NONCE.fullmatch(head[3])),
        (SIGNATURE, not signature),
    )
    wrong = next((name for name, is_wrong in faults if is_wrong), None)
    if wrong:
        raise RemoteError("header is missing or wrong", field=wrong)
    if not is_signed(platform.public_key, _signed_text(head, body), signature):
        raise RemoteError("signature does not fit", field=SIGNATURE)


def parse_answer(body: bytes) -> Answer:
    """Read an answer's envelope; ``check_answer`` says whether to believe it.

    Raises:
        RemoteError: not one JSON object, no code, or a field of a wrong kind.
    """
    fields = read_object(body)
    if fields is None:
        raise RemoteError("not a JSON object")
    code = _text(fields, "retCode") or _text(fields, "code")
    if not _CODE.fullmatch(code):
        raise RemoteError("missing or not a code", field="retCode")
    data = fields.get("respData")
    if not isinstance(data, dict | None):
        raise RemoteError("an object is expected", field="respData")
    text = _text(fields, "retMsg") or _text(fields, "msg")
    return Answer(code, text, data or {}, _text(fields, "reqId"))


def parse_settlement(answer: Answer, question: Question) -> Settlement:
    """The account in an answer that is ``ok``.

    Raises:
        RemoteError: no account in it, or one that is named for another merchant,
            terminal or question than was asked.
    """
    _same("reqId", answer.req_id, question.req_id)
    for name, asked in question.fields.items():
        _same(name, _text(answer.data, name), asked)
    account = _text(answer.data, "acctNo")
    if not _ACCOUNT.fullmatch(account):
        raise RemoteError("missing or not an account", field="acctNo")
    named = (_text(answer.data, n) for n in ("openningBankName", "acctOpenBankName"))
    return Settlement(
        account=mask(account),
        bank=next((name for name in named if name), ""),
        kind=_text(answer.data, "acctTypeCode"),
    )


# -- the platform's side -------------------------------------------------------


@dataclass(frozen=True)
class Signed:
    """Who signed a request: ``nonce`` is good once."""

    appid: str
    nonce: str


def check_request(
    authorization: str,
    body: bytes,
    find_key: Callable[[str, str], RSAPublicKey | None],
    *,
    now: float,
) -> Signed:
    """Check a request's signature as the platform does.

    Args:
        find_key: gives the key of an appid and serial, None for unknown ones.
        now: Unix seconds.

    Raises:
        RemoteError: another scheme, a part missing, twice or of a wrong shape, too
            old or ahead, unknown appid or serial, or a signature that does not fit.
    """
    values = _read_authorization(authorization)
    head = [values[name] for name in _AUTHORIZED[:-1]]
    appid, serial, timestamp, nonce = head
    if not _NONCE.fullmatch(nonce):
        raise RemoteError("not a nonce", field="nonce_str")
    if not _is_fresh(timestamp, now):
        raise RemoteError("not a time of now", field="timestamp")
    key = find_key(appid, serial)
    if key is None:
        raise RemoteError("unknown", field="appid")
    if not is_signed(key, _signed_text(head, body), values["signature"]):
        raise RemoteError("does not fit", field="signature")
    return Signed(appid, nonce)


def read_question(path: str, body: bytes) -> Question:
    """What a request asks for.

    Raises:
        RemoteError: not one JSON object, or a field missing or of a wrong shape.
    """
    fields = read_object(body) or {}
    data = fields.get("reqData")
    if not isinstance(data, dict):
        raise RemoteError("an object is expected", field="reqData")
    if fields.get("version") != VERSION:
        raise RemoteError("another version", field="version")
    return Question(
        mid=_required(data, "merCupNo"),
        order_no=_required(data, "orderNo"),
        req_id=_required(fields, "reqId"),
        tid=_required(data, "termNo") if path == TERMINAL_ACCOUNT else None,
    )


def build_answer(
    code: str, text: str, data: Mapping[str, str] | None = None, *, req_id: str = ""
) -> bytes:
    """The platform's side of ``parse_answer``."""
    return _json({"reqId": req_id, "retCode": code, "retMsg": text, "respData": data})


def sign_answer(
    key: RSAPrivateKey,
    body: bytes,
    *,
    appid: str,
    serial: str,
    timestamp: int,
    nonce: str,
) -> dict[str, str]:
    """The five headers of an answer to the caller ``appid``."""
    head = (appid, serial, str(timestamp), nonce)
    values = (*head, sign(key, _signed_text(head, body)))
    names = (APPID, SERIAL, TIMESTAMP, NONCE, SIGNATURE)
    return {n.title(): text for n, text in zip(names, values, strict=True)}


# -- what both sides stand on --------------------------------------------------


def _signed_text(head: Iterable[str], body: bytes) -> bytes:
    """``head``: appid, serial, time, nonce."""
    return "".join(f"{part}\n" for part in head).encode() + body + b"\n"


def _read_authorization(header: str) -> dict[str, str]:
    """The parts by name; clients write them in different orders."""
    scheme, _, rest = header.partition(" ")
    if scheme != SCHEME:
        raise RemoteError("another scheme", field="Authorization")
    pairs = [_PAIR.fullmatch(part.strip()) for part in rest.split(",")]
    values = {pair[1]: pair[2] for pair in pairs if pair}
    if values.keys() != set(_AUTHORIZED) or len(pairs) != len(_AUTHORIZED):
        raise RemoteError("a part is missing or twice", field="Authorization")
    return values


def _is_fresh(timestamp: str, now: float) -> bool:
    if not _TIME.fullmatch(timestamp):
        return False
    return abs(int(timestamp) - now) <= AGE_LIMIT


def _is_hex(text: str) -> bool:
    return re.fullmatch("[0-9A-Fa-f]{1,64}", text) is not None


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _text(fields: Mapping[str, Any], name: str) -> str:
    """A field that may be missing, null or empty: then ``""``."""
    value = fields.get(name)
    if not isinstance(value, str | None):
        raise RemoteError("text is expected", field=name)
    return value or ""


def _required(fields: Mapping[str, Any], name: str) -> str:
    text = _text(fields, name)
    if not _SHAPES[name].fullmatch(text):
        raise RemoteError("missing or of a wrong shape", field=name)
    return text


def _same(name: str, told: str, asked: str) -> None:
    """An answer need not repeat what was asked, but must not contradict it."""
    if told not in ("", asked):
        raise RemoteError("another one than was asked for", field=name)


def _shaped(name: str, text: str, shape: re.Pattern[str]) -> None:
    if not shape.fullmatch(text):
        raise LocalError(f"{name} is missing or of a wrong shape")
