"""WeChat Pay's settlement account calls over the ledger, as far as they are public.

Three calls and no more: ``modify-settlement``, ``application`` and ``settlement``;
those are the names for fault rules. No call cancels, none lists applications, and no
notice is sent.

An application is audited in time. While it is, and when it fails, the old account
stays bound; but from the moment when the new one is being verified, and after it has
failed, the settlement query shows the NEW one.

Every answer is signed, except the refusal of a request's own signature (401), which
the platform does not sign. That a nonce is good once within its 5 minutes is our
reading: the documentation asks for a new one and does not say what a used one gets.
"""

from __future__ import annotations

import re
import secrets
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from emulator.acquirer.faces import HttpRequest, HttpResponse
from emulator.acquirer.ledger import (
    PARAMETERS_CHANGED,
    AccountKind,
    Ledger,
    Merchant,
    Subject,
    objection,
)
from protocols import rsasha256
from protocols import wechatpay as wire
from protocols.wechatpay import Change, RequestError

BEIJING = timezone(timedelta(hours=8))
OTHER_BANK = "其他银行"
A_DAY, A_MINUTE = 5, 20

_TARGET = re.compile(
    re.escape(wire.MERCHANTS)
    + r"(?P<sub>[0-9]{8,10})/(?:(?P<call>modify-settlement|settlement)"
    r"|application/(?P<number>[^/]+))"
)
_KINDS: Mapping[str, AccountKind] = {
    wire.PRIVATE: AccountKind.PERSONAL,
    wire.BUSINESS: AccountKind.CORPORATE,
}
_TYPES = {kind: name for name, kind in _KINDS.items()}
_BOTH = frozenset(AccountKind)
_ALLOWED: Mapping[Subject, frozenset[AccountKind]] = {
    Subject.MICRO: frozenset({AccountKind.PERSONAL}),
    Subject.INDIVIDUAL: _BOTH,
    Subject.ENTERPRISE: frozenset({AccountKind.CORPORATE}),
    Subject.GOVERNMENT: frozenset({AccountKind.CORPORATE}),
    Subject.OTHER: frozenset({AccountKind.CORPORATE}),
}


@dataclass(frozen=True)
class Partner:
    """A partner that may call.

    Args:
        merchants: the sub-merchants it has signed up, 8 to 10 digits each, and the
            number (MID) that each has in the ledger.
    """

    mchid: str
    serial_no: str
    public_key: RSAPublicKey
    merchants: Mapping[str, str]


@dataclass(frozen=True)
class Course:
    """Seconds from the application to the verifying payment, and to the decision."""

    verifying: float = 0.1
    done: float = 0.3


@dataclass
class _Application:
    number: str
    mid: str
    change: Change
    opened_at: float
    result: str = wire.AUDITING
    fail_reason: str = ""
    finished_at: float | None = None


@dataclass
class _Memory:
    """What the service keeps besides the ledger."""

    applications: dict[str, _Application] = field(default_factory=dict)
    nonces: dict[tuple[str, str], float] = field(default_factory=dict)
    calls: dict[str, deque[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Call:
    """A request that is signed: which call of which sub-merchant."""

    name: str
    partner: Partner
    sub_mchid: str
    number: str
    request: HttpRequest


class WeChatPayFace:
    """Answers the three calls. Any thread may call it; the ledger's lock guards it.

    Args:
        clock: Unix seconds; signatures, audits and quotas all go by it.
        serial: the ID of the platform's key.
    """

    paths: tuple[str, ...] = (wire.MERCHANTS,)
    methods = frozenset({"GET", "POST"})
    content_type = wire.CONTENT_TYPE

    def __init__(
        self,
        ledger: Ledger,
        partners: Iterable[Partner],
        *,
        course: Course | None = None,
        clock: Callable[[], float] = time.time,
        serial: str = "PUB_KEY_ID_0100000000000000",
        key: RSAPrivateKey | None = None,
    ) -> None:
        self._ledger = ledger
        self._partners = {p.mchid: p for p in partners}
        self._course = course or Course()
        self._clock = clock
        self._key = key or generate_private_key(65537, rsasha256.KEY_BITS)
        self._memory = _Memory()
        self.serial = serial

    @property
    def public_pem(self) -> str:
        """The platform's public key, as a partner downloads it."""
        form = PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(Encoding.PEM, form).decode()

    # What the server asks.

    def call_name(self, request: HttpRequest) -> str | None:
        """``modify-settlement``, ``settlement`` or ``application``."""
        found = _TARGET.fullmatch(request.target.partition("?")[0])
        name = _name(found) if found else ""
        return name if request.method == _METHODS.get(name) else None

    def respond(self, request: HttpRequest) -> HttpResponse:
        try:
            with self._ledger.locked():
                self.advance()
                call = self._open(request)
                return self._signed(200, self._handlers[call.name](self, call))
        except RequestError as error:
            return self._refuse(error)

    def busy(self, request: HttpRequest) -> HttpResponse:
        return self._refuse(RequestError(wire.SYSTEM_ERROR, "系统异常，请稍后重试"))

    def advance(self) -> None:
        """Decide every application whose time has come."""
        now = self._clock()
        with self._ledger.locked():
            for application in self._memory.applications.values():
                decided_at = application.opened_at + self._course.done
                if application.result == wire.AUDITING and now >= decided_at:
                    self._decide(application, decided_at)

    # Signatures.

    def _open(self, request: HttpRequest) -> _Call:
        """Raises RequestError SIGN_ERROR, or ORDER_NOT_EXIST where there is no call."""
        signed = wire.open_request(
            request.method,
            request.target,
            request.headers,
            request.body,
            self._key_of,
            now=self._clock(),
        )
        self._use_nonce(signed.mchid, signed.nonce)
        found = _TARGET.fullmatch(request.target.partition("?")[0])
        if found is None or self.call_name(request) is None:
            raise RequestError(wire.NOT_FOUND, "no such call")
        partner = self._partners[signed.mchid]
        return _Call(
            _name(found), partner, found["sub"], found["number"] or "", request
        )

    def _key_of(self, mchid: str, serial_no: str) -> RSAPublicKey | None:
        partner = self._partners.get(mchid)
        fits = partner is not None and partner.serial_no == serial_no
        return partner.public_key if partner and fits else None

    def _use_nonce(self, mchid: str, nonce: str) -> None:
        now, used = self._clock(), self._memory.nonces
        # A signature may be dated 5 minutes ahead, and then lives for 10.
        for old in [n for n, at in used.items() if now - at > 2 * wire.AGE_LIMIT]:
            del used[old]
        if (mchid, nonce) in used:
            raise RequestError(wire.SIGN_ERROR, "used before", field="nonce_str")
        used[mchid, nonce] = now

    def _signed(self, status: int, body: bytes) -> HttpResponse:
        headers = wire.sign_answer(
            body,
            self.serial,
            self._key,
            timestamp=int(self._clock()),
            nonce=secrets.token_hex(16),
        )
        return HttpResponse(status, {"Content-Type": _JSON, **headers}, body)

    def _refuse(self, error: RequestError) -> HttpResponse:
        body = wire.build_refusal(error.code, str(error))
        if error.code == wire.SIGN_ERROR:
            return HttpResponse(401, {"Content-Type": _JSON}, body)
        return self._signed(wire.STATUS[error.code], body)

    # The calls, one method each.

    def _modify(self, call: _Call) -> bytes:
        self._count(call.partner.mchid)
        if call.request.headers.get(wire.SERIAL) != self.serial:
            raise RequestError(wire.PARAM_ERROR, "unknown", field="Wechatpay-Serial")
        change = wire.open_change(call.request.body, self._key)
        merchant = self._merchant(call)
        self._check(change, merchant)
        self._check_others(merchant)
        number = str(10**14 + secrets.randbelow(9 * 10**14))
        application = _Application(number, merchant.mid, change, self._clock())
        self._memory.applications[number] = application
        return wire.build_fields({"application_no": number})

    def _query(self, call: _Call) -> bytes:
        merchant, rule = self._merchant(call), _rule(call.request)
        found = self._memory.applications.get(call.number)
        if found is None or found.mid != merchant.mid:
            raise RequestError(wire.NOT_FOUND, "申请单不存在", field="application_no")
        change = found.change
        owner = merchant.owner(_KINDS[change.account_type])
        shown = {
            "account_name": _hidden(change.account_name or owner),
            "verify_result": found.result,
            "verify_fail_reason": found.fail_reason,
            "verify_finish_time": _rfc3339(found.finished_at),
        }
        return wire.build_fields({**_account_of(change, rule), **shown})

    def _settlement(self, call: _Call) -> bytes:
        merchant, rule = self._merchant(call), _rule(call.request)
        last = self._last(merchant.mid)
        result = self._verification(last) if last else wire.VERIFY_SUCCESS
        verified = {"verify_result": result}
        if last and result != wire.VERIFY_SUCCESS:
            reason = {"verify_fail_reason": last.fail_reason}
            return wire.build_fields(
                {**_account_of(last.change, rule), **verified, **reason}
            )
        return wire.build_fields({**self._bound(merchant, last, rule), **verified})

    # What the calls stand on.

    def _count(self, mchid: str) -> None:
        now = self._clock()
        calls = self._memory.calls.setdefault(mchid, deque())
        while calls and now - calls[0] >= 60:
            calls.popleft()
        if len(calls) >= A_MINUTE:
            raise RequestError(wire.RATE_LIMIT, "频率超限，请稍后重试")
        calls.append(now)

    def _merchant(self, call: _Call) -> Merchant:
        mid = call.partner.merchants.get(call.sub_mchid, "")
        merchant = self._ledger.merchants.get(mid)
        if merchant is None:
            raise RequestError(wire.NO_AUTH, "该商户不是本服务商进件的子商户")
        return merchant

    def _check(self, change: Change, merchant: Merchant) -> None:
        kind = _KINDS[change.account_type]
        named = _plain(change.account_name) in ("", _plain(merchant.owner(kind)))
        branch = change.bank_branch_id
        checks = (
            (kind in _ALLOWED[merchant.subject], "account_type"),
            (named, "account_name"),
            (not branch or branch in self._ledger.branches, "bank_branch_id"),
            (
                change.account_bank != OTHER_BANK or branch or change.bank_name,
                "bank_name",
            ),
        )
        for holds, name in checks:
            if not holds:
                raise RequestError(wire.PARAM_ERROR, "not allowed", field=name)

    def _check_others(self, merchant: Merchant) -> None:
        """One application at a time, five a day; the day begins at 00:00 in Beijing."""
        found = self._memory.applications.values()
        own = [a for a in found if a.mid == merchant.mid]
        if any(a.result == wire.AUDITING for a in own):
            raise RequestError(
                wire.INVALID_REQUEST, "存在审核中的修改申请，请勿重复提交"
            )
        today = _day(self._clock())
        if sum(_day(a.opened_at) == today for a in own) >= A_DAY:
            raise RequestError(wire.FREQUENCY, "今日修改次数已达上限，请次日再试")

    def _last(self, mid: str) -> _Application | None:
        found = [a for a in self._memory.applications.values() if a.mid == mid]
        return found[-1] if found else None

    def _verification(self, last: _Application) -> str:
        if last.result == wire.AUDIT_FAIL:
            return wire.VERIFY_FAIL
        elapsed = self._clock() - last.opened_at
        if last.result == wire.AUDITING and elapsed >= self._course.verifying:
            return wire.VERIFYING
        return wire.VERIFY_SUCCESS

    def _bound(
        self, merchant: Merchant, last: _Application | None, rule: str
    ) -> dict[str, str]:
        """The account in force; its bank as the ledger or its application knows it."""
        if last and last.change.account_number.reveal() == merchant.account:
            return _account_of(last.change, rule)
        account = self._ledger.accounts.get(merchant.account)
        kind = account.kind if account else AccountKind.PERSONAL
        bank = self._ledger.branches.get(merchant.branch, OTHER_BANK)
        return {
            "account_type": _TYPES[kind],
            "account_bank": bank,
            "account_number": wire.masked(merchant.account, rule),
        }

    def _decide(self, application: _Application, at: float) -> None:
        number = application.change.account_number.reveal()
        merchant = self._ledger.merchants[application.mid]
        account = self._ledger.accounts.get(number)
        reason = objection(account, merchant)
        if account and account.kind is not _KINDS[application.change.account_type]:
            reason = reason or "account is of another type"
        application.finished_at = at
        application.fail_reason = reason
        application.result = wire.AUDIT_FAIL if reason else wire.AUDIT_SUCCESS
        if not reason:
            self._ledger.change_account(
                merchant.mid, number, request=PARAMETERS_CHANGED
            )

    _handlers: ClassVar[Mapping[str, Callable[[WeChatPayFace, _Call], bytes]]] = {
        "modify-settlement": _modify,
        "application": _query,
        "settlement": _settlement,
    }


_JSON = "application/json; charset=utf-8"
_METHODS: Mapping[str, str] = {
    "modify-settlement": "POST",
    "application": "GET",
    "settlement": "GET",
}


def _name(found: re.Match[str]) -> str:
    return found["call"] or "application"


def _rule(request: HttpRequest) -> str:
    query = dict(parse_qsl(request.target.partition("?")[2]))
    rule = query.get("account_number_rule", wire.MASK_V1)
    if rule not in (wire.MASK_V1, wire.MASK_V2):
        raise RequestError(wire.PARAM_ERROR, "unknown", field="account_number_rule")
    return rule


def _account_of(change: Change, rule: str) -> dict[str, str]:
    return {
        "account_type": change.account_type,
        "account_bank": change.account_bank,
        "bank_name": change.bank_name,
        "bank_branch_id": change.bank_branch_id,
        "account_number": wire.masked(change.account_number.reveal(), rule),
    }


def _plain(name: str) -> str:
    """Full-width and half-width parentheses are the same in a name."""
    return unicodedata.normalize("NFKC", name)


def _hidden(name: str) -> str:
    return "*" * (len(name) - 1) + name[-1:]


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, BEIJING):%Y%m%d}"


def _rfc3339(at: float | None) -> str:
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).astimezone(BEIJING).isoformat("T", "seconds")
