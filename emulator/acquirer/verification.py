"""The verification service over the ledger: ``posctl-verification 1``.

**Ours, no real provider's**: see ``protocols.verification``. ``elements``, ``payment``,
``otp/send`` and ``otp/check`` are the names for fault rules.

All four elements are compared, always, and the answer never says which of them differs.
The same question under the same order gets the same answer and counts once; three that
did not match, and the account is not checked any more. A code is six random digits and
counts for 60 s; the next one is sent 60 s later at the earliest; three may be sent, and
three may be typed wrong, for a check.

0.01 is paid once for an order, whatever is asked how often under it; an answer that has
no result yet is asked for at the account's bank until it has one.
"""

from __future__ import annotations

import hmac
import math
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from emulator.acquirer.faces import HttpRequest, HttpResponse
from emulator.acquirer.ledger import AccountKind, BankAccount, Ledger
from protocols import verification as wire
from protocols.errors import RemoteError
from protocols.verification import Answer, Elements, Payment

VALID_SECONDS = 60
RESEND_SECONDS = 60
TRIES = SENDS = MISSES = 3
_CUT = len("/posctl-verification/v1/")
_NOT_FINAL = (wire.BUSY, wire.LATE, wire.NO_ANSWER)
_NOT_PAID = (wire.BUSY, wire.UNSUPPORTED, wire.USED_UP)
_TEXTS = {
    wire.OK: "the payment arrived under that name",
    **dict.fromkeys(wire.DEFECTIVE, "paid; whether it was credited is not confirmed"),
    **dict.fromkeys(wire.UNDECIDED, "no result yet"),
}
Said = tuple[str, str]


@dataclass
class _Check:
    """A question that was answered, and the codes that were sent for it."""

    ref: str
    said: Said
    account: str
    sends: int = 0
    tries_left: int = TRIES
    sent_at: float = -math.inf
    otp: str = field(default="", repr=False)


@dataclass
class _Paid:
    """0.01 that was paid for an order, and what the account's bank says of it."""

    asked: Payment
    ref: str
    said: Said


class VerificationFace:
    """Answers the four calls of those who know the token. Any thread may call it.

    Args:
        token: what a caller shows, as in ``Authorization: Bearer TOKEN``.
        clock: seconds.
        fixed: mobile number -> the code that is always sent to it, for published
            personas.
    """

    paths: tuple[str, ...] = (wire.ELEMENTS, wire.SEND, wire.CHECK, wire.PAYMENT)
    methods = frozenset({"POST"})
    content_type = wire.CONTENT_TYPE

    def __init__(
        self,
        ledger: Ledger,
        token: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        fixed: Mapping[str, str] | None = None,
    ) -> None:
        self._ledger = ledger
        self._token = token.encode()
        self._clock = clock
        self._fixed = dict(fixed or {})
        self._key = X25519PrivateKey.generate()
        self._checks: dict[Elements, _Check] = {}
        self._payments: dict[str, _Paid] = {}
        self._misses: Counter[str] = Counter()
        self._paid_for: list[str] = []
        self._sent: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._calls: Mapping[str, Callable[[bytes], Answer]] = {
            wire.ELEMENTS: self._elements,
            wire.SEND: self._send,
            wire.CHECK: self._check,
            wire.PAYMENT: self._payment,
        }

    @property
    def public_key(self) -> str:
        """What callers seal to: 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def codes_sent_to(self, mobile: str) -> list[str]:
        """As the phone shows them, the newest last."""
        with self._lock:
            return [otp for number, otp in self._sent if number == mobile]

    def payments_for(self, order: str) -> int:
        """How often 0.01 was paid for it."""
        with self._lock:
            return self._paid_for.count(order)

    def call_name(self, request: HttpRequest) -> str | None:
        return _path(request)[_CUT:] if self._knows(request) else None

    def respond(self, request: HttpRequest) -> HttpResponse:
        """401 without the token, 400 for what is no such request, both empty."""
        if not self._knows(request):
            return HttpResponse(401, {}, b"")
        path = _path(request)
        try:
            with self._lock, self._ledger.locked():
                return _answered(path, self._calls[path](request.body))
        except RemoteError:
            return HttpResponse(400, {}, b"")

    def busy(self, request: HttpRequest) -> HttpResponse:
        return _answered(_path(request), Answer(*wire.BUSY, "busy, try later"))

    def advance(self) -> None:
        """Nothing here takes time."""

    def _knows(self, request: HttpRequest) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(token.encode(), self._token)
        return known and scheme == "Bearer"

    # -- elements --------------------------------------------------------------

    def _elements(self, body: bytes) -> Answer:
        asked = wire.open_elements(body, self._key)
        known = self._checks.get(asked)
        if known is None or known.said in _NOT_FINAL:
            known = self._checks[asked] = self._checked(asked)
        text = "they belong together" if known.said == wire.OK else "not confirmed"
        return Answer(*known.said, text, known.ref)

    def _checked(self, asked: Elements) -> _Check:
        said = self._compared(asked)
        self._misses[asked.account] += said == wire.MISMATCH
        return _Check(secrets.token_hex(12), said, asked.account)

    def _compared(self, asked: Elements) -> Said:
        account = self._ledger.accounts.get(asked.account)
        if self._misses[asked.account] >= MISSES:
            return wire.USED_UP
        if account is None or not account.is_open:
            return wire.NO_SUCH_CARD
        if account.issuer_code:
            return wire.CUP_POS, account.issuer_code
        if account.kind is AccountKind.CORPORATE:
            return wire.UNSUPPORTED
        if not account.mobile:
            return wire.NO_PHONE
        return wire.OK if _equal(asked, account) else wire.MISMATCH

    # -- a payment of 0.01 -----------------------------------------------------

    def _payment(self, body: bytes) -> Answer:
        asked = wire.open_payment(body, self._key)
        paid = self._payments.get(asked.order)
        if paid is not None and paid.asked != asked:
            return Answer(*wire.INVALID, "another payment is this order's")
        if paid is None or paid.said in wire.UNDECIDED:
            said = self._used_up(asked, paid) or self._credited(asked)
            if said in _NOT_PAID:
                return Answer(*said, "no payment now")
            paid = self._kept(paid or self._pay(asked), said)
        return Answer(*paid.said, _TEXTS.get(paid.said, "returned"), paid.ref)

    def _used_up(self, asked: Payment, paid: _Paid | None) -> Said | None:
        """A payment that was made is asked after all the same."""
        used_up = paid is None and self._misses[asked.account] >= MISSES
        return wire.USED_UP if used_up else None

    def _pay(self, asked: Payment) -> _Paid:
        self._paid_for.append(asked.order)
        paid = _Paid(asked, secrets.token_hex(12), wire.PROCESSING)
        self._payments[asked.order] = paid
        return paid

    def _kept(self, paid: _Paid, said: Said) -> _Paid:
        self._misses[paid.asked.account] += said == wire.MISMATCH
        paid.said = said
        return paid

    def _credited(self, asked: Payment) -> Said:
        account = self._ledger.accounts.get(asked.account)
        if account is None or not account.is_open:
            return wire.NO_SUCH_CARD
        if account.payment_code:
            return wire.CUP_POS, account.payment_code
        same = hmac.compare_digest(asked.name.encode(), account.holder.encode())
        return wire.OK if same else wire.MISMATCH

    # -- one-time codes --------------------------------------------------------

    def _send(self, body: bytes) -> Answer:
        check = self._passed(wire.read_send(body))
        if check is None:
            return Answer(*wire.NO_SUCH_CHECK)
        mobile = self._mobile(check)
        if not mobile:
            return Answer(*wire.NO_PHONE, "no phone number is known")
        said = self._may_send(check)
        if said == wire.OK:
            self._text(check, mobile)
        return self._standing(check, said)

    def _may_send(self, check: _Check) -> Said:
        if not check.tries_left:
            return wire.USED_UP
        if self._clock() < check.sent_at + RESEND_SECONDS:
            return wire.TOO_SOON
        return wire.OK if check.sends < SENDS else wire.USED_UP

    def _text(self, check: _Check, mobile: str) -> None:
        otp = self._fixed.get(mobile) or f"{secrets.randbelow(10**6):06d}"
        check.otp, check.sent_at = otp, self._clock()
        check.sends += 1
        self._sent.append((mobile, otp))

    def _standing(self, check: _Check, said: Said) -> Answer:
        now, left = self._clock(), SENDS - check.sends
        expires = math.ceil(max(0.0, check.sent_at + VALID_SECONDS - now))
        resend = math.ceil(max(0.0, check.sent_at + RESEND_SECONDS - now))
        return Answer(*said, expires_seconds=expires, resend_seconds=resend, left=left)

    def _check(self, body: bytes) -> Answer:
        ref, otp = wire.open_check(body, self._key)
        check = self._passed(ref)
        if check is None or not check.sends:
            return Answer(*wire.NO_SUCH_CHECK)
        said = self._tried(check, otp)
        return Answer(*said, left=check.tries_left)

    def _tried(self, check: _Check, otp: str) -> Said:
        if not check.tries_left:
            return wire.USED_UP
        if self._clock() >= check.sent_at + VALID_SECONDS:
            return wire.EXPIRED
        if hmac.compare_digest(otp, check.otp):
            return wire.OK
        check.tries_left -= 1
        return wire.WRONG_CODE if check.tries_left else wire.USED_UP

    def _passed(self, ref: str) -> _Check | None:
        """A code is sent only where the four elements were found to agree."""
        passed = (c for c in self._checks.values() if c.said == wire.OK)
        return next((check for check in passed if check.ref == ref), None)

    def _mobile(self, check: _Check) -> str:
        account = self._ledger.accounts.get(check.account)
        return account.mobile if account else ""


def _equal(asked: Elements, account: BankAccount) -> bool:
    pairs = (
        (asked.name, account.holder),
        (asked.id_number, account.id_number),
        (asked.mobile, account.mobile),
    )
    same = [hmac.compare_digest(a.encode(), b.encode()) for a, b in pairs]
    return all(same)


def _path(request: HttpRequest) -> str:
    return request.target.partition("?")[0]


def _answered(path: str, answer: Answer) -> HttpResponse:
    headers = {"Content-Type": wire.CONTENT_TYPE}
    return HttpResponse(200, headers, wire.build_answer(path, answer))
