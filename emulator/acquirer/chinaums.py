"""ChinaUMS's account-change service over the ledger, as far as it is public.

It offers what the real interface (1.1.13) offers and no more: there is no call that
reads the settlement account back and none that cancels. An application that nobody
signs takes no effect; a signed one is reviewed, and becomes effective or fails, with
time. The ledger does not say in which area a branch is, so ``branch_bank_list`` takes
any area code of the right shape. A push says of which application it speaks and its
status, no more: what else the real one carries is not public.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from emulator.acquirer import signpage
from emulator.acquirer.faces import HttpRequest, HttpResponse
from emulator.acquirer.ledger import (
    PARAMETERS_CHANGED,
    AccountKind,
    Application,
    BankAccount,
    Ledger,
    Merchant,
    objection,
)
from emulator.acquirer.notices import NoticeQueue, Notify
from emulator.acquirer.pictures import PictureStore
from emulator.acquirer.rules import Rules
from protocols import chinaums as wire
from protocols.chinaums import Credentials, RequestError

Fields = dict[str, Any]
Done = Mapping[str, object]

SIGNING, TO_VERIFY = "00", "05"
SIGNED, RISK_REVIEW, MANUAL_REVIEW = "01", "06", "02"
DONE, FAILED = "03", "04"
_FINAL = {DONE, FAILED}
_CARD_PICTURES = frozenset({"0025", "0026"})
_NUMBER = re.compile(r"[0-9]{1,40}")
_VERIFY_PAUSE = 4 * 3600.0
_VERIFY_TRIES = 5


@dataclass(frozen=True)
class Accesser:
    """A party that may call.

    Args:
        merchants: the MIDs it looks after.
        signs: it may sign by itself (automatic mode); else only the merchant, in his
            browser.
    """

    credentials: Credentials
    merchants: frozenset[str]
    signs: bool = True


@dataclass(frozen=True)
class Course:
    """Seconds from signing to each later status; ``done`` decides 03 or 04."""

    risk_review: float = 0.1
    manual_review: float = 0.2
    done: float = 0.3

    def reached(self, elapsed: float) -> list[str]:
        times = (
            (SIGNED, 0.0),
            (RISK_REVIEW, self.risk_review),
            (MANUAL_REVIEW, self.manual_review),
        )
        return [status for status, after in times if elapsed >= after]


@dataclass
class _PennyDrop:
    """A random amount in fen, and the tries left."""

    amount: int
    tries: int = _VERIFY_TRIES


@dataclass
class _Memory:
    """What the service keeps besides the ledger."""

    sequences: set[tuple[str, str]] = field(default_factory=set)
    pictures: PictureStore = field(default_factory=PictureStore)
    drops: dict[str, _PennyDrop] = field(default_factory=dict)
    paid_at: dict[str, float] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    opened_by: dict[str, Credentials] = field(default_factory=dict)


class AccountChangeService:
    """Answers ``autoReg`` calls. Any thread may call it; the ledger's lock guards it.

    Args:
        clock: seconds, any origin; audits take time on it.
        notify: gets a push when an application is done or has failed; see
            ``NoticeQueue``. None: nobody asked for pushes.
    """

    def __init__(
        self,
        ledger: Ledger,
        accessers: Iterable[Accesser],
        *,
        course: Course | None = None,
        clock: Callable[[], float] = time.monotonic,
        rules: Rules | None = None,
        notify: Notify | None = None,
    ) -> None:
        self._ledger = ledger
        self._accessers = {a.credentials.accesser_id: a for a in accessers}
        self._course = course or Course()
        self._clock = clock
        self._rules = rules or Rules()
        self._memory = _Memory()
        self.notices = NoticeQueue(notify, clock) if notify else None

    def receive(self, body: bytes) -> Fields:
        """Decrypt and check a form body; nothing is done or remembered yet.

        Raises:
            RequestError: with the ``res_code`` to answer.
        """
        return wire.open_request(body, self._key_of)

    def perform(self, fields: Fields) -> bytes:
        """Do what an opened request asks and give the answer's bytes."""
        echo = {"request_seq": fields["request_seq"]}
        try:
            with self._ledger.locked():
                self._advance()
                return wire.build_answer(wire.OK, {**echo, **self._dispatch(fields)})
        except RequestError as error:
            return wire.build_answer(error.res_code, echo, res_msg=str(error))

    def sign_page(self, request_target: str) -> tuple[int, bytes]:
        """What a browser gets for a signing link, or for its form with the code: an
        HTTP status and a page. To look at it signs nothing."""
        path, _, query = request_target.partition("?")
        if path != wire.PATH:
            return 404, signpage.told_page("404")
        try:
            fields = self.receive(query.encode("utf-8", "replace"))
            with self._ledger.locked():
                self._advance()
                return 200, self._sign_in_browser(fields, dict(parse_qsl(query)))
        except RequestError as error:
            return 400, signpage.told_page(f"{error.res_code} {error}")

    def advance(self) -> None:
        """Move every signed application to where the clock says it is now, and push
        what is to be told."""
        with self._ledger.locked():
            self._advance()
        if self.notices:
            self.notices.deliver()

    def forget(self) -> None:
        """Everything but who may call."""
        with self._ledger.locked():
            self._memory = _Memory()

    def penny_drop(self, reg_id: str) -> int:
        """The amount in fen that the company's bank statement shows."""
        with self._ledger.locked():
            return self._memory.drops[reg_id].amount

    def signing_code(self, reg_id: str) -> str:
        """The code in the short message that a look at the signing link sends."""
        with self._ledger.locked():
            return self._memory.codes[reg_id]

    def _advance(self) -> None:
        now = self._clock()
        for application in self._ledger.applications.values():
            if application.signed_at is not None:
                self._review(application, now - application.signed_at)

    def _key_of(self, accesser_id: str) -> bytes | None:
        accesser = self._accessers.get(accesser_id)
        return accesser.credentials.key if accesser else None

    def _dispatch(self, fields: Fields) -> Done:
        self._use_sequence(fields)
        if fields["service"] not in self._handlers:
            raise RequestError(wire.BAD_FIELD, "unknown", field="service")
        required, handler = self._handlers[fields["service"]]
        for name in required:
            _text(fields, name)
        return handler(self, fields)

    def _sequence_is_new(self, fields: Fields) -> tuple[str, str]:
        sequence = (fields["accesser_id"], fields["request_seq"])
        if sequence in self._memory.sequences:
            raise RequestError(wire.DUPLICATE_SEQ, "request_seq was used before")
        return sequence

    def _use_sequence(self, fields: Fields) -> None:
        self._memory.sequences.add(self._sequence_is_new(fields))

    def _sign_in_browser(self, fields: Fields, query: dict[str, str]) -> bytes:
        if fields["service"] != "alter_sign":
            raise RequestError(wire.BAD_FIELD, "not by a link", field="service")
        _text(fields, "ums_reg_id")
        self._sequence_is_new(fields)
        application = self._to_sign(fields)
        codes = self._memory.codes
        code = codes.setdefault(application.reg_id, self._rules.signing_code())
        entered = query.pop(signpage.CODE_FIELD, None)
        if entered != code:
            return signpage.code_page(query, problem="验证码错误" if entered else "")
        self._use_sequence(fields)
        self._sign(application)
        return signpage.told_page("签约成功")

    # The calls, one method each.

    def _terminals_qry(self, fields: Fields) -> Done:
        merchant = self._merchant(fields, fields["merchantNo"])
        found = self._ledger.terminals_of(merchant.mid)
        return {"terminals": ",".join(t.tid for t in found)}

    def _branch_bank_list(self, fields: Fields) -> Done:
        if not re.fullmatch("[0-9]{4}", fields["areaCode"]):
            raise RequestError(wire.BAD_FIELD, "four digits", field="areaCode")
        found = self._ledger.branches.items()
        wanted = [(code, name) for code, name in found if fields["key"] in name]
        return {"branchBankList": [{"code": c, "name": n} for c, n in wanted]}

    def _pic_upload(self, fields: Fields) -> Done:
        pictures = self._memory.pictures
        return pictures.take(fields["accesser_id"], fields["pic_base64"])

    def _complex_alter_acctinfo(self, fields: Fields) -> Done:
        merchant = self._merchant(fields, fields["mer_no"])
        number = fields["alter_bank_acct_no"]
        if not _NUMBER.fullmatch(number):
            raise RequestError(
                wire.BAD_FIELD, "1 to 40 digits", field="alter_bank_acct_no"
            )
        if fields["alter_bank_no"] not in self._ledger.branches:
            raise RequestError(wire.BAD_FIELD, "unknown branch", field="alter_bank_no")
        old = _text(fields, "bank_acct_no", optional=True)
        if not merchant.account:
            raise RequestError(wire.REFUSED, "no account to alter", field="mer_no")
        if old and old != merchant.account:
            raise RequestError(
                wire.REFUSED, "old account differs", field="bank_acct_no"
            )
        account = self._account(merchant.mid, number)
        corporate = account is not None and account.kind is AccountKind.CORPORATE
        if self._rules.pictures_checked:
            self._memory.pictures.check(
                fields["accesser_id"],
                fields.get("pic_list", []),
                frozenset() if corporate else _CARD_PICTURES,
            )
        application = Application(
            secrets.token_hex(16),
            merchant.mid,
            number,
            TO_VERIFY if corporate else SIGNING,
        )
        return self._open(application, fields["accesser_id"])

    def _request_account_verify(self, fields: Fields) -> Done:
        application, now = self._to_verify(fields), self._clock()
        paid_at = self._memory.paid_at.get(application.new_account)
        if paid_at is not None and now - paid_at < _VERIFY_PAUSE:
            raise RequestError(wire.VERIFY_TOO_EARLY, "once in four hours")
        self._memory.paid_at[application.new_account] = now
        self._memory.drops[application.reg_id] = _PennyDrop(self._rules.penny())
        return {}

    def _company_account_verify(self, fields: Fields) -> Done:
        application = self._to_verify(fields)
        drop = self._memory.drops.get(application.reg_id)
        if drop is None or drop.tries == 0:
            raise RequestError(wire.REFUSED, "no payment to verify")
        if fields["trans_amt"] == str(drop.amount):
            _enter(application, SIGNING)
            return {}
        drop.tries -= 1
        if drop.tries == 0:
            self._conclude(application, FAILED, "wrong amount, five times")
        raise RequestError(wire.REFUSED, f"wrong amount, {drop.tries} tries left")

    def _alter_sign(self, fields: Fields) -> Done:
        application = self._to_sign(fields)
        if not self._accessers[fields["accesser_id"]].signs:
            raise RequestError(wire.REFUSED, "the merchant signs, by the link")
        self._sign(application)
        return {}

    def _alter_qry(self, fields: Fields) -> Done:
        application = self._application(fields)
        return {
            "ums_reg_id": application.reg_id,
            "apply_status": application.status,
            "apply_status_msg": wire.APPLY_STATUS[application.status],
            "fail_reason": application.fail_reason,
        }

    # What the calls stand on.

    def _merchant(self, fields: Fields, mid: str) -> Merchant:
        merchant = self._ledger.merchants.get(mid)
        if merchant is None or mid not in self._merchants_of(fields):
            raise RequestError(wire.REFUSED, "merchant is not known here")
        return merchant

    def _merchants_of(self, fields: Fields) -> frozenset[str]:
        return self._accessers[fields["accesser_id"]].merchants

    def _application(self, fields: Fields) -> Application:
        application = self._ledger.applications.get(fields["ums_reg_id"])
        if application is None or application.mid not in self._merchants_of(fields):
            raise RequestError(wire.REFUSED, "application is not known here")
        return application

    def _to_sign(self, fields: Fields) -> Application:
        application = self._application(fields)
        if application.status != SIGNING:
            raise RequestError(wire.REFUSED, "not waiting for a signature")
        return application

    def _sign(self, application: Application) -> None:
        application.signed_at = self._clock()
        _enter(application, SIGNED)

    def _to_verify(self, fields: Fields) -> Application:
        application = self._application(fields)
        if application.status != TO_VERIFY:
            raise RequestError(wire.REFUSED, "no account to verify")
        if fields["company_account"] != application.new_account:
            raise RequestError(wire.REFUSED, "differs", field="company_account")
        return application

    def _account(self, mid: str, number: str) -> BankAccount | None:
        known = self._ledger.accounts.get(number)
        if known is None and mid in self._rules.any_corporate:
            name = self._ledger.merchants[mid].name
            return BankAccount(number, name, AccountKind.CORPORATE)
        return known

    def _open(self, application: Application, accesser_id: str) -> Done:
        reg_id = application.reg_id
        application.history.append(application.status)
        self._ledger.applications[reg_id] = application
        self._memory.opened_by[reg_id] = self._accessers[accesser_id].credentials
        return {"ums_reg_id": reg_id}

    def _review(self, application: Application, elapsed: float) -> None:
        if application.status in _FINAL:
            return
        for status in self._course.reached(elapsed):
            if status not in application.history:
                _enter(application, status)
        if elapsed >= self._course.done:
            self._decide(application)

    def _decide(self, application: Application) -> None:
        account = self._account(application.mid, application.new_account)
        merchant = self._ledger.merchants[application.mid]
        reason = objection(account, merchant)
        if reason:
            return self._conclude(application, FAILED, reason)
        self._ledger.change_account(
            merchant.mid, application.new_account, request=PARAMETERS_CHANGED
        )
        self._conclude(application, DONE)

    def _conclude(
        self, application: Application, status: str, reason: str = ""
    ) -> None:
        _enter(application, status, reason)
        owner = self._memory.opened_by.get(application.reg_id)
        if self.notices and owner:
            said = {"ums_reg_id": application.reg_id, "apply_status": status}
            self.notices.add(wire.build_notice(said, owner))

    _handlers: ClassVar[
        dict[
            str,
            tuple[tuple[str, ...], Callable[[AccountChangeService, Fields], Done]],
        ]
    ] = {
        "terminals_qry": (("merchantNo",), _terminals_qry),
        "branch_bank_list": (("areaCode", "key"), _branch_bank_list),
        "pic_upload": (("pic_base64",), _pic_upload),
        "complex_alter_acctinfo": (
            ("mer_no", "alter_bank_acct_no", "alter_bank_no"),
            _complex_alter_acctinfo,
        ),
        "request_account_verify": (
            ("ums_reg_id", "company_account"),
            _request_account_verify,
        ),
        "company_account_verify": (
            ("ums_reg_id", "company_account", "trans_amt"),
            _company_account_verify,
        ),
        "alter_sign": (("ums_reg_id",), _alter_sign),
        "alter_qry": (("ums_reg_id",), _alter_qry),
    }


class ChinaUmsFace:
    """The service behind HTTP: one path; to a POST every answer has status 200, a GET
    is a merchant's browser that opens a signing link.

    A request is opened twice, as its name for the fault rules stands inside it.
    """

    paths: tuple[str, ...] = (wire.PATH,)
    methods = frozenset({"POST", "GET"})
    content_type = wire.CONTENT_TYPE

    def __init__(self, service: AccountChangeService) -> None:
        self._service = service

    def call_name(self, request: HttpRequest) -> str | None:
        """The name of the service asked for, as in ``alter_sign``."""
        try:
            return str(self._service.receive(request.body)["service"])
        except RequestError:
            return None

    def respond(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            status, page = self._service.sign_page(request.target)
            return HttpResponse(status, {"Content-Type": "text/html"}, page)
        try:
            fields = self._service.receive(request.body)
        except RequestError as error:
            return _ok(wire.build_answer(error.res_code, {}, res_msg=str(error)))
        return _ok(self._service.perform(fields))

    def busy(self, request: HttpRequest) -> HttpResponse:
        return _ok(wire.build_answer(wire.SYSTEM, {}, res_msg="system busy"))

    def advance(self) -> None:
        self._service.advance()


def _ok(body: bytes) -> HttpResponse:
    return HttpResponse(200, {"Content-Type": "application/json;charset=UTF-8"}, body)


def _enter(application: Application, status: str, reason: str = "") -> None:
    application.status = status
    application.fail_reason = reason
    application.history.append(status)


def _text(fields: Fields, name: str, *, optional: bool = False) -> str:
    value = fields.get(name, "" if optional else None)
    if not isinstance(value, str) or not (value or optional):
        raise RequestError(wire.BAD_FIELD, "missing or not text", field=name)
    return value
