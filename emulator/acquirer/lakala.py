"""Lakala's two account queries over the ledger, as far as they are public.

``queryMerAccount`` and ``queryTermAccount``: those are the names for fault rules.
Nothing changes an account here, as no public call of the platform does.

Every answer of status 200 is signed. A request whose signature is not accepted gets
401, unsigned. The codes that begin with ``EMU`` are ours, as the platform's are not
public; so are the age of a request that is taken, and what a nonce or ``orderNo`` gets
that was used before. The account is shown masked; how the platform shows it is not
public either.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from emulator.acquirer.faces import HttpRequest, HttpResponse
from emulator.acquirer.ledger import AccountKind, Ledger, Merchant
from protocols import lakala as wire
from protocols.errors import RemoteError
from protocols.lakala import Question, Signed
from protocols.rsasha256 import KEY_BITS
from protocols.sensitive import mask

BAD_SIGNATURE, BAD_FIELD, UNKNOWN = "EMU401", "EMU400", "EMU404"
USED, BUSY = "EMU409", "EMU429"

_VALID = timedelta(days=30)
_KINDS: Mapping[AccountKind, str] = {
    AccountKind.PERSONAL: wire.PERSONAL,
    AccountKind.CORPORATE: wire.CORPORATE,
}


@dataclass(frozen=True)
class Institution:
    """A party that may call: its key, and the merchants (MID) that are its own."""

    appid: str
    serial_no: str
    public_key: RSAPublicKey
    merchants: frozenset[str]


@dataclass
class _Memory:
    """What was used: nonces with their time, order numbers for ever."""

    nonces: dict[tuple[str, str], float] = field(default_factory=dict)
    orders: set[tuple[str, str]] = field(default_factory=set)


class LakalaFace:
    """Answers both queries. Any thread may call it; the ledger's lock guards it.

    Args:
        clock: Unix seconds.
        key: the platform's; None makes one.
        shown: how an account number is shown.
    """

    paths: tuple[str, ...] = (wire.MERCHANT_ACCOUNT, wire.TERMINAL_ACCOUNT)
    methods = frozenset({"POST"})
    content_type = wire.CONTENT_TYPE

    def __init__(
        self,
        ledger: Ledger,
        institutions: Iterable[Institution],
        *,
        clock: Callable[[], float] = time.time,
        key: RSAPrivateKey | None = None,
        shown: Callable[[str], str] = mask,
    ) -> None:
        self._ledger = ledger
        self._institutions = {i.appid: i for i in institutions}
        self._clock = clock
        self._key = key or generate_private_key(65537, KEY_BITS)
        self._shown = shown
        self._certificate = _self_signed(self._key)
        self._memory = _Memory()

    @property
    def certificate_pem(self) -> str:
        """The platform's certificate, for callers to pin."""
        return self._certificate.public_bytes(Encoding.PEM).decode("ascii")

    @property
    def public_key_pem(self) -> str:
        """Its key alone."""
        form = PublicFormat.SubjectPublicKeyInfo
        key = self._key.public_key()
        return key.public_bytes(Encoding.PEM, form).decode("ascii")

    def call_name(self, request: HttpRequest) -> str | None:
        """``queryMerAccount`` or ``queryTermAccount``, if it is signed."""
        try:
            self._signer(request)
        except RemoteError:
            return None
        return _path(request).rpartition("/")[2]

    def respond(self, request: HttpRequest) -> HttpResponse:
        with self._ledger.locked():
            try:
                signer = self._signer(request)
                self._use_nonce(signer)
            except RemoteError as error:
                return _unsigned(401, BAD_SIGNATURE, str(error))
            return self.signed(signer.appid, self._answer(signer.appid, request))

    def busy(self, request: HttpRequest) -> HttpResponse:
        return _unsigned(429, BUSY, "system busy")

    def advance(self) -> None:
        """Nothing here takes time."""

    def signed(self, appid: str, body: bytes) -> HttpResponse:
        """An answer with the platform's signature."""
        headers = wire.sign_answer(
            self._key,
            body,
            appid=appid,
            serial=f"{self._certificate.serial_number:x}",
            timestamp=int(self._clock()),
            nonce=secrets.token_hex(16),
        )
        return HttpResponse(200, {**headers, "Content-Type": wire.CONTENT_TYPE}, body)

    def _signer(self, request: HttpRequest) -> Signed:
        header = request.headers.get("authorization", "")
        return wire.check_request(header, request.body, self._key_of, now=self._clock())

    def _key_of(self, appid: str, serial: str) -> RSAPublicKey | None:
        found = self._institutions.get(appid)
        known = found is not None and found.serial_no == serial
        return found.public_key if found and known else None

    def _use_nonce(self, signer: Signed) -> None:
        now, used = self._clock(), self._memory.nonces
        # Older ones are refused for their time already, also those that were ahead.
        kept = {n: at for n, at in used.items() if now - at <= 2 * wire.AGE_LIMIT}
        if (signer.appid, signer.nonce) in kept:
            raise RemoteError("was used before", field="nonce_str")
        self._memory.nonces = {**kept, (signer.appid, signer.nonce): now}

    def _answer(self, appid: str, request: HttpRequest) -> bytes:
        try:
            question = wire.read_question(_path(request), request.body)
        except RemoteError as error:
            return wire.build_answer(BAD_FIELD, str(error))
        order = (appid, question.order_no)
        if order in self._memory.orders:
            return _refusal(question, USED, "orderNo was used before")
        self._memory.orders.add(order)
        merchant = self._merchant(appid, question)
        if merchant is None:
            return _refusal(question, UNKNOWN, "not known here")
        data = {**question.fields, **self._account(merchant, question)}
        return wire.build_answer(wire.OK, "SUCCESS", data, req_id=question.req_id)

    def _merchant(self, appid: str, question: Question) -> Merchant | None:
        """The merchant asked for, if it is the caller's and the terminal its own."""
        if question.mid not in self._institutions[appid].merchants:
            return None
        terminal = self._ledger.terminals.get(question.tid or "")
        foreign = terminal is None or terminal.mid != question.mid
        if question.tid is not None and foreign:
            return None
        return self._ledger.merchants.get(question.mid)

    def _account(self, merchant: Merchant, question: Question) -> dict[str, str]:
        terminal = self._ledger.terminals.get(question.tid or "")
        own = terminal.account if terminal else None
        number = own or merchant.account
        account = self._ledger.accounts.get(number)
        # The ledger knows the bank of a merchant's account only.
        bank = "" if own else self._ledger.branches.get(merchant.branch, "")
        fields = {
            "acctNo": self._shown(number),
            "acctName": account.holder if account else "",
            "acctTypeCode": _KINDS[account.kind] if account else "",
            "openningBankName": bank,
        }
        return {name: text for name, text in fields.items() if text}


def _path(request: HttpRequest) -> str:
    return request.target.partition("?")[0]


def _refusal(question: Question, code: str, text: str) -> bytes:
    return wire.build_answer(code, text, req_id=question.req_id)


def _unsigned(status: int, code: str, text: str) -> HttpResponse:
    body = wire.build_answer(code, text)
    return HttpResponse(status, {"Content-Type": wire.CONTENT_TYPE}, body)


def _self_signed(key: RSAPrivateKey) -> x509.Certificate:
    name = x509.NameAttribute(NameOID.COMMON_NAME, "posctl emulated platform")
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([name]))
        .issuer_name(x509.Name([name]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .sign(key, SHA256())
    )
