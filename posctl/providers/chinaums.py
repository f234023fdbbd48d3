"""ChinaUMS (银联商务), self-contract interface 1.1.13.

Its cipher (3DES-ECB) and its "signature" (a bare hash) are weak: what protects a call
is TLS, always verified. It has no call that reads the settlement account back and
none that cancels: the old account is proved by sending it, the new one by status 03.
The commit point is ``sign``; an application that is not signed takes no effect. The
merchant can sign it himself, in his browser (``sign_link``): then the provider learns
it, and nobody here, so only ``query`` tells.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from posctl.links.https import Chunks, HttpsLink
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed, Refused, UsageError
from posctl.providers import (
    ApplicationStatus,
    Branch,
    Capability,
    ChangeRequest,
    Clock,
    Need,
    Notice,
    Picture,
    Progress,
    Provider,
    UploadedPicture,
    printable,
)
from protocols import chinaums as wire
from protocols.chinaums import Answer, Credentials
from protocols.errors import LocalError, RemoteError
from protocols.sensitive import AccountNumber

_BEIJING = ZoneInfo("Asia/Shanghai")

PROGRESS: Mapping[str, Progress] = {
    "18": Progress.WAITING_MERCHANT,
    "05": Progress.WAITING_MERCHANT,
    "00": Progress.WAITING_MERCHANT,
    "01": Progress.AUDITING,
    "06": Progress.AUDITING,
    "02": Progress.AUDITING,
    "03": Progress.EFFECTIVE,
    "04": Progress.REJECTED,
    "99": Progress.UNKNOWN,
}

_NEEDS: Mapping[str, Need] = {
    "18": Need.FILLING,
    "05": Need.PENNY_DROP,
    "00": Need.SIGNING,
}

_REFUSALS: Mapping[str, str] = {
    wire.DUPLICATE_SEQ: "provider.duplicate",
    wire.BAD_SIGNATURE: "provider.credentials",
    wire.BAD_CIPHER: "provider.credentials",
    wire.USER_SYSTEM: "provider.busy",
    wire.SYSTEM: "provider.busy",
    wire.BAD_FIELD: "provider.field",
    wire.BAD_JSON: "provider.field",
    wire.VERIFY_TOO_EARLY: "provider.penny_early",
}
_REFUSALS_OF: Mapping[tuple[str, str], str] = {
    ("company_account_verify", wire.REFUSED): "provider.penny_wrong",
}
"""By service and code, where a service gives a general code a meaning of its own."""

_DOCUMENTS: Mapping[str, str] = {"card_front": "0025", "card_back": "0026"}


class ChinaUms(Provider):
    """The adapter. Errors are those of ``posctl.providers.Provider``."""

    name = "chinaums"
    capabilities = frozenset(
        {
            Capability.TERMINALS,
            Capability.BRANCHES,
            Capability.PICTURES,
            Capability.CHANGE,
            Capability.SIGN,
            Capability.PENNY_DROP,
            Capability.NOTICE,
        }
    )

    def __init__(
        self, link: HttpsLink, url: str, credentials: Credentials, clock: Clock
    ):
        self._link = link
        self._address = url.rstrip("/") + wire.PATH
        self._credentials = credentials
        self._clock = clock

    def terminals(self, mid: str, deadline: Deadline) -> tuple[str, ...]:
        """The merchant's terminal numbers (``terminals_qry``); may be none."""
        answer = self._call("terminals_qry", {"merchantNo": mid}, deadline)
        _same(answer, "merchantNo", mid)
        listed = _text(answer, "terminals", empty=True)
        found = tuple(t.strip() for t in listed.split(",") if t.strip())
        if not all(re.fullmatch("[0-9A-Za-z]{8}", tid) for tid in found):
            raise _untrusted("terminals")
        return found

    def branches(self, area: str, text: str, deadline: Deadline) -> tuple[Branch, ...]:
        """Branches of an area whose name holds every word of ``text``.

        The interface looks branches up by area and one piece of the name, not by their
        code: it is sent the longest word, the others are looked for here. Its words are
        Chinese, as in ``工商银行 国贸``; spaces part them.

        Args:
            area: four digits, of the city and not of its district, as in ``4403``.

        Raises:
            UsageError: ``branch.search``, another shape of area, or no word.
        """
        words = text.split()
        if not (re.fullmatch("[0-9]{4}", area) and words):
            raise UsageError("branch.search")
        params = {"areaCode": area, "key": max(words, key=len)}
        answer = self._call("branch_bank_list", params, deadline)
        listed = answer.fields.get("branchBankList")
        if not isinstance(listed, list):
            raise _untrusted("branchBankList")
        found = (_branch(entry) for entry in listed)
        return tuple(b for b in found if all(word in b.name for word in words))

    def branch(
        self, code: str, *, area: str, text: str, deadline: Deadline
    ) -> str | None:
        """The name of the branch with this code among ``branches``, or None."""
        found = self.branches(area, text, deadline)
        return next((branch.name for branch in found if branch.code == code), None)

    def upload(
        self, picture: Picture, data: bytes, deadline: Deadline
    ) -> UploadedPicture:
        """Upload one document (``pic_upload``), 2 MB at most when in base64. Its text
        is made, encrypted and sent piece by piece: no second picture is in memory.

        Raises:
            CheckFailed: ``document.size``, ``document.media_type``.
            UsageError: ``document.kind``.
        """
        kind = _document_code(picture.kind)
        _check_picture(picture, data)
        sequence = _new_sequence()
        with _asking():
            body = wire.SealedPicture(
                picture.media_type,
                data,
                self._credentials,
                request_seq=sequence,
                request_date=self._now(),
            )
        answer = self._answer("pic_upload", body, sequence, deadline)
        path, size = _text(answer, "file_path"), _text(answer, "file_size")
        return UploadedPicture(kind, picture.name, path, size)

    def apply(
        self, request: ChangeRequest, request_seq: str, deadline: Deadline
    ) -> str:
        """Open an application (``complex_alter_acctinfo``); its ``ums_reg_id``.

        It takes no effect before ``sign``: make the number durable first. If the
        answer is lost, the number cannot be asked for; applying again under a new
        ``request_seq`` is safe, the first application stays unsigned.

        Args:
            request_seq: 1 to 30 visible ASCII characters, never used before.
        """
        params = _application(request)
        answer = self._call("complex_alter_acctinfo", params, deadline, request_seq)
        _same(answer, "mer_no", request.mid)
        return _reg_id(_text(answer, "ums_reg_id"))

    def sign(self, application: str, deadline: Deadline) -> None:
        """Sign (``alter_sign``, automatic mode): the commit point.

        Refused for an application that is signed already; ask ``query`` after any
        error with ``sent`` true.
        """
        answer = self._call("alter_sign", {"ums_reg_id": application}, deadline)
        _same(answer, "ums_reg_id", application)

    def sign_link(self, application: str) -> str:
        """The address where the merchant signs (``alter_sign`` as a GET), each time a
        new one. He enters a code that a short message brings him; ``query`` tells when
        he has done so.

        Who has it may sign at any time and it cannot be called back: to hand it out is
        the commit point, as ``sign`` is.
        """
        sequence = _new_sequence()
        form = self._sealed("alter_sign", {"ums_reg_id": application}, sequence)
        return f"{self._address}?{form.decode('ascii')}"

    def request_payment(
        self, application: str, account: AccountNumber, deadline: Deadline
    ) -> None:
        """Have a random amount paid to a corporate account
        (``request_account_verify``).

        Raises Refused ``provider.penny_early`` within four hours of the last one, also
        when the answer to that one was lost.
        """
        params = {"ums_reg_id": application, "company_account": account.reveal()}
        answer = self._call("request_account_verify", params, deadline)
        _same(answer, "ums_reg_id", application)

    def report_payment(
        self, application: str, account: AccountNumber, fen: int, deadline: Deadline
    ) -> None:
        """Tell the amount that arrived (``company_account_verify``).

        Raises Refused ``provider.penny_wrong`` for another amount, with what the
        provider says of the tries left: five a payment, the fifth wrong one fails the
        application (``query``: 04). After an error with ``sent`` true ask ``query``
        first: 00 means that the amount was right, and each wrong one costs a try.
        Raises UsageError ``provider.penny_amount`` for less than 1 fen; not sent.
        """
        if fen < 1:
            raise UsageError("provider.penny_amount", fen=fen)
        params = {
            "ums_reg_id": application,
            "company_account": account.reveal(),
            "trans_amt": str(fen),
        }
        answer = self._call("company_account_verify", params, deadline)
        _same(answer, "ums_reg_id", application)

    def open_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read a push (``alter_notify``): a form, sealed as a request is; its headers
        say nothing. A push of another ``service_type`` names no application.

        It carries no time and no number of its own, so an old one can come again: what
        it says is only ever a reason to ask.
        """
        try:
            fields = wire.open_notice(body, self._credentials)
        except RemoteError as error:
            raise _forged(error.field or "form") from None
        reply = wire.build_answer(wire.OK, {})
        if fields["service_type"] != wire.NOTICE:
            return Notice(None, None, "", reply)
        application = _notice_text(fields, "ums_reg_id")
        mid = _notice_text(fields, "mer_no")
        raw = _notice_text(fields, "apply_status") or ""
        return Notice(application, mid, printable(raw), reply)

    def query(
        self, mid: str, application: str, deadline: Deadline
    ) -> ApplicationStatus:
        """Where the application stands (``alter_qry``)."""
        answer = self._call("alter_qry", {"ums_reg_id": application}, deadline)
        _same(answer, "ums_reg_id", application)
        _same(answer, "mer_no", mid)
        raw = _text(answer, "apply_status")
        return ApplicationStatus(
            raw=printable(raw),
            progress=PROGRESS.get(raw, Progress.UNKNOWN),
            text=printable(_text(answer, "apply_status_msg", empty=True)),
            reason=printable(_text(answer, "fail_reason", empty=True)),
            need=_NEEDS.get(raw, Need.NOTHING),
        )

    def _call(
        self,
        service: str,
        params: Mapping[str, object],
        deadline: Deadline,
        request_seq: str | None = None,
    ) -> Answer:
        sequence = request_seq or _new_sequence()
        body = self._sealed(service, params, sequence)
        return self._answer(service, body, sequence, deadline)

    def _answer(
        self, service: str, body: bytes | Chunks, sequence: str, deadline: Deadline
    ) -> Answer:
        raw = self._link.post(
            wire.PATH, body, content_type=wire.CONTENT_TYPE, deadline=deadline
        )
        return _accepted(raw, service, sequence)

    def _sealed(
        self, service: str, params: Mapping[str, object], sequence: str
    ) -> bytes:
        with _asking():
            return wire.build_request(
                service,
                params,
                self._credentials,
                request_seq=sequence,
                request_date=self._now(),
            )

    def _now(self) -> str:
        return f"{self._clock().astimezone(_BEIJING):%Y%m%d%H%M%S}"


def connect(
    url: str,
    *,
    ca_file: Path | None,
    credentials: Mapping[str, str],
    clock: Clock | None,
) -> ChinaUms:
    """Made by ``posctl.providers.open_provider``."""
    try:
        key = credentials["key"].encode("ascii")
        own = Credentials(credentials["accesser_id"], key)
    except (KeyError, ValueError, LocalError):
        needed = "accesser_id, key (24 ASCII characters)"
        raise UsageError(
            "provider.settings", name=ChinaUms.name, needed=needed
        ) from None
    link = HttpsLink(url, ca_file=ca_file)
    return ChinaUms(link, url, own, clock or (lambda: datetime.now(UTC)))


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except LocalError as error:
        raise UsageError("provider.request", reason=str(error)) from None


def _new_sequence() -> str:
    return secrets.token_hex(wire.LONGEST_SEQ // 2)


def _accepted(raw: bytes, service: str, sequence: str) -> Answer:
    try:
        answer = wire.parse_answer(raw)
    except RemoteError as error:
        raise _untrusted(error.field or "JSON") from None
    _same(answer, "request_seq", sequence)
    if not answer.ok:
        general = _REFUSALS.get(answer.res_code, "provider.refused")
        raise Refused(
            _REFUSALS_OF.get((service, answer.res_code), general),
            namespace=ChinaUms.name,
            raw=answer.res_code,
            text=printable(_text(answer, "res_msg", empty=True)),
        )
    return answer


def _untrusted(field: str) -> LinkFailed:
    return LinkFailed("provider.answer", name=ChinaUms.name, field=field, sent=True)


def _forged(field: str) -> CheckFailed:
    return CheckFailed("notice.forged", name=ChinaUms.name, field=field)


def _notice_text(fields: Mapping[str, Any], name: str) -> str | None:
    """A name or code of a push, None if it is absent or empty."""
    value = fields.get(name)
    if value in (None, ""):
        return None
    if not (isinstance(value, str) and re.fullmatch("[!-~]{1,64}", value)):
        raise _forged(name)
    return value


def _text(answer: Answer, name: str, *, empty: bool = False) -> str:
    try:
        return answer.optional(name) if empty else answer.text(name)
    except RemoteError:
        raise _untrusted(name) from None


def _same(answer: Answer, name: str, expected: str) -> None:
    """An answer need not repeat what was asked, but must not contradict it."""
    if _text(answer, name, empty=True) not in ("", expected):
        raise _untrusted(name)


def _reg_id(text: str) -> str:
    if not re.fullmatch("[!-~]{1,64}", text):
        raise _untrusted("ums_reg_id")
    return text


def _branch(entry: Any) -> Branch:
    known = entry if isinstance(entry, dict) else {}
    code, name = known.get("code"), known.get("name")
    if not (isinstance(code, str) and re.fullmatch("[0-9A-Za-z]{1,18}", code)):
        raise _untrusted("branchBankList.code")
    if not (isinstance(name, str) and name):
        raise _untrusted("branchBankList.name")
    return Branch(code, printable(name))


def _document_code(kind: str) -> str:
    code = _DOCUMENTS.get(kind, kind)
    if not re.fullmatch("[0-9]{4}", code):
        raise UsageError("document.kind", kind=kind)
    return code


def _check_picture(picture: Picture, data: bytes) -> None:
    if not re.fullmatch("image/[a-z]{3,4}", picture.media_type):
        raise CheckFailed("document.media_type", media_type=picture.media_type)
    prefix = wire.picture_prefix(picture.media_type)
    if not data or len(prefix) + wire.base64_size(len(data)) > wire.PICTURE_LIMIT:
        limit = wire.PICTURE_LIMIT * 3 // 4
        raise CheckFailed(
            "document.size", kind=picture.kind, size=len(data), limit=limit
        )


def _application(request: ChangeRequest) -> dict[str, object]:
    optional = {
        "bank_acct_no": _reveal(request.old),
        "bank_mobile": request.mobile,
        "remark": request.remark,
    }
    return {
        "mer_no": request.mid,
        "alter_bank_acct_no": request.new.reveal(),
        "alter_bank_no": request.branch,
        "pic_list": [_pic_entry(picture) for picture in request.pictures],
        **{name: value for name, value in optional.items() if value},
    }


def _reveal(number: AccountNumber | None) -> str | None:
    return number.reveal() if number else None


def _pic_entry(picture: UploadedPicture) -> dict[str, str]:
    return {
        "document_type": picture.kind,
        "document_name": picture.name,
        "file_path": picture.path,
        "file_size": picture.size,
    }
