"""WeChat Pay (微信支付), partner API v3: the settlement account of a sub-merchant.

The commit point is ``apply`` itself: the POST opens an application that takes effect
when its audit succeeds. The call has no request number, so nothing tells a second POST
from a first, and there are five a day: it is never sent again here. If its answer is
lost there is no application number to ask for; ``read_binding`` may decide.

An answer counts only with the platform's signature. The one exception is the refusal
of our own signature (401), which the platform does not sign: it is believed where
nothing can have been changed, that is for a read.

No notice belongs to this flow: it is asked, never told.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from posctl.links.https import HttpAnswer, HttpsLink
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, Refused, UsageError
from posctl.providers import (
    AccountType,
    ApplicationStatus,
    Capability,
    ChangeRequest,
    Clock,
    Progress,
    Provider,
    ReadBinding,
    printable,
)
from protocols import rsasha256
from protocols import wechatpay as wire
from protocols.errors import LocalError, RemoteError
from protocols.sensitive import mask
from protocols.wechatpay import Caller, Change, Platform

Parsed = TypeVar("Parsed")

PROGRESS: Mapping[str, Progress] = {
    wire.AUDITING: Progress.AUDITING,
    wire.AUDIT_SUCCESS: Progress.EFFECTIVE,
    wire.AUDIT_FAIL: Progress.REJECTED,
}

_TYPES: Mapping[AccountType, str] = {
    AccountType.CARD: wire.PRIVATE,
    AccountType.CORPORATE: wire.BUSINESS,
}

_REFUSALS: Mapping[int, str] = {
    400: "provider.field",
    401: "provider.credentials",
    403: "provider.no_right",
    429: "provider.rate",
}
_UNDER_AUDIT = "审核中"
"""The only sign of an application under way: its refusal has no code of its own."""


class WeChatPay(Provider):
    """The adapter. Errors are those of ``posctl.providers.Provider``."""

    name = "wechatpay"
    capabilities = frozenset({Capability.CHANGE, Capability.READ_BINDING})

    def __init__(
        self, link: HttpsLink, caller: Caller, platform: Platform, clock: Clock
    ):
        self._link = link
        self._caller = caller
        self._platform = platform
        self._clock = clock

    def apply(
        self, request: ChangeRequest, request_seq: str, deadline: Deadline
    ) -> str:
        """Open an application (``modify-settlement``): THE COMMIT POINT. Its
        ``application_no``.

        Call it once only: after any error with ``sent`` true, and after
        ``provider.busy``, ask ``read_binding``. Refused with ``provider.rate`` says
        that nothing was done.

        Args:
            request: ``bank``, ``area`` and ``holder`` are needed, ``branch`` where
                the bank is none of WeChat Pay's own list; ``old`` is not sent.
            request_seq: not sent, as the call has no field for it.
        """
        target = _asked(lambda: wire.change_target(request.mid))
        key = self._platform.public_key
        body = _asked(lambda: wire.build_change(_change(request), key))
        answer = self._call("POST", target, body, deadline)
        return _read(wire.parse_accepted, answer.body)

    def query(
        self, mid: str, application: str, deadline: Deadline
    ) -> ApplicationStatus:
        """Where the application stands (``get-application``)."""
        rule = wire.MASK_V2
        target = _asked(lambda: wire.application_target(mid, application, rule))
        answer = self._call("GET", target, b"", deadline)
        found = _read(wire.parse_application, answer.body)
        return ApplicationStatus(
            raw=found.result,
            progress=PROGRESS.get(found.result, Progress.UNKNOWN),
            text="",
            reason=printable(found.fail_reason),
            mask=mask(found.account_number),
        )

    def read_binding(
        self, mid: str, deadline: Deadline, *, tid: str | None = None
    ) -> ReadBinding:
        """The merchant's settlement account (``get-settlement``), whatever the
        terminal.

        An account that is not verified is pending, and what is in force is then not
        told: after a failed verification the new account is shown, while the old one
        stays bound.
        """
        target = _asked(lambda: wire.settlement_target(mid, wire.MASK_V2))
        answer = self._call("GET", target, b"", deadline)
        found = _read(wire.parse_settlement, answer.body)
        shown = mask(found.account_number)
        in_force = found.result == wire.VERIFY_SUCCESS
        return ReadBinding(
            effective=shown if in_force else None,
            pending=None if in_force else shown,
            bank=printable(found.bank_name or found.account_bank),
            verification=found.result,
            failed=found.result == wire.VERIFY_FAIL,
        )

    def _call(
        self, method: str, target: str, body: bytes, deadline: Deadline
    ) -> HttpAnswer:
        headers = {
            "Accept": wire.CONTENT_TYPE,
            "Authorization": self._authorization(method, target, body),
            "Wechatpay-Serial": self._platform.serial,
        }
        if body:
            headers["Content-Type"] = wire.CONTENT_TYPE
        answer = self._link.call(
            method, target, headers=headers, body=body or None, deadline=deadline
        )
        self._check(answer, may_change=method != "GET")
        if answer.status != 200:
            raise _error(answer)
        return answer

    def _authorization(self, method: str, target: str, body: bytes) -> str:
        return wire.build_authorization(
            self._caller,
            method,
            target,
            body,
            timestamp=int(self._now()),
            nonce=secrets.token_hex(16),
        )

    def _check(self, answer: HttpAnswer, *, may_change: bool) -> None:
        if answer.status == 401 and not may_change:
            return
        try:
            wire.check_answer(
                answer.headers, answer.body, self._platform, now=self._now()
            )
        except RemoteError as error:
            raise _untrusted(error.field) from None

    def _now(self) -> float:
        return self._clock().timestamp()


def connect(
    url: str,
    *,
    ca_file: Path | None,
    credentials: Mapping[str, str],
    clock: Clock | None,
) -> WeChatPay:
    """Made by ``posctl.providers.open_provider``."""
    try:
        key = rsasha256.load_private_key(credentials["private_key"])
        caller = Caller(credentials["mchid"], credentials["serial_no"], key)
        shared = rsasha256.load_public_key(credentials["platform_public_key"])
        platform = Platform(credentials["platform_serial"], shared)
    except (KeyError, LocalError):
        needed = (
            "mchid, serial_no, private_key (PEM, RSA 2048), platform_serial, "
            "platform_public_key (PEM)"
        )
        raise UsageError(
            "provider.settings", name=WeChatPay.name, needed=needed
        ) from None
    link = HttpsLink(url, ca_file=ca_file)
    return WeChatPay(link, caller, platform, clock or (lambda: datetime.now(UTC)))


def _change(request: ChangeRequest) -> Change:
    return Change(
        account_type=_TYPES[request.account_type],
        account_bank=request.bank,
        bank_address_code=request.area,
        account_number=request.new,
        account_name=request.holder,
        bank_branch_id=request.branch,
    )


def _asked(build: Callable[[], Parsed]) -> Parsed:
    """What is to be sent. Raises UsageError: the interface has no room for it."""
    try:
        return build()
    except LocalError as error:
        raise UsageError("provider.request", reason=str(error)) from None


def _read(parse: Callable[[bytes], Parsed], body: bytes) -> Parsed:
    try:
        return parse(body)
    except RemoteError as error:
        raise _untrusted(error.field) from None


def _untrusted(field: str | None) -> LinkFailed:
    shown = field or "JSON"
    return LinkFailed("provider.answer", name=WeChatPay.name, field=shown, sent=True)


def _error(answer: HttpAnswer) -> LinkFailed | Refused:
    if answer.status < 400:  # as 204, the answer of a mode that is gone
        return _untrusted("status")
    return _refused(answer.status, _read(wire.parse_refusal, answer.body))


def _refused(status: int, refusal: wire.Refusal) -> Refused:
    return Refused(
        _code(status, refusal.message),
        namespace=WeChatPay.name,
        raw=refusal.code,
        text=printable(refusal.message),
    )


def _code(status: int, message: str) -> str:
    if status == 400 and _UNDER_AUDIT in message:
        return "provider.application_open"
    if status >= 500:
        return "provider.busy"
    return _REFUSALS.get(status, "provider.refused")
