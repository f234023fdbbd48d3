"""ChinaUMS (银联商务), self-contract interface 1.1.13.

Its cipher (3DES-ECB) and its "signature" (a bare hash) are weak: what protects a call
is TLS, always verified. It has no call that reads the settlement account back and
none that cancels: the old account is proved by sending it, the new one by status 03.
The commit point is ``sign``; an application that is not signed takes no effect.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from posctl.links.https import HttpsLink
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed, Refused, UsageError
from posctl.providers import (
    ApplicationStatus,
    Branch,
    Capability,
    ChangeRequest,
    Clock,
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

_REFUSALS: Mapping[str, str] = {
    wire.DUPLICATE_SEQ: "provider.duplicate",
    wire.BAD_SIGNATURE: "provider.credentials",
    wire.BAD_CIPHER: "provider.credentials",
    wire.USER_SYSTEM: "provider.busy",
    wire.SYSTEM: "provider.busy",
    wire.BAD_FIELD: "provider.field",
    wire.BAD_JSON: "provider.field",
}

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
        }
    )

    def __init__(self, link: HttpsLink, credentials: Credentials, clock: Clock):
        self._link = link
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
        """Branches of an area (four digits) whose name holds ``text``.

        The interface looks branches up by area and name, not by their code.
        """
        params = {"areaCode": area, "key": text}
        answer = self._call("branch_bank_list", params, deadline)
        listed = answer.fields.get("branchBankList")
        if not isinstance(listed, list):
            raise _untrusted("branchBankList")
        return tuple(_branch(entry) for entry in listed)

    def branch(
        self, code: str, *, area: str, text: str, deadline: Deadline
    ) -> str | None:
        """The name of the branch with this code among ``branches``, or None."""
        found = self.branches(area, text, deadline)
        return next((branch.name for branch in found if branch.code == code), None)

    def upload(
        self, picture: Picture, data: bytes, deadline: Deadline
    ) -> UploadedPicture:
        """Upload one document (``pic_upload``), 2 MB at most when in base64.

        Raises:
            CheckFailed: ``document.size``, ``document.media_type``.
            UsageError: ``document.kind``.
        """
        kind = _document_code(picture.kind)
        params = {"pic_base64": _data_url(picture, data)}
        answer = self._call("pic_upload", params, deadline)
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

    def query(
        self, mid: str, application: str, deadline: Deadline
    ) -> ApplicationStatus:
        """Where the application stands (``alter_qry``)."""
        answer = self._call("alter_qry", {"ums_reg_id": application}, deadline)
        _same(answer, "ums_reg_id", application)
        raw = _text(answer, "apply_status")
        return ApplicationStatus(
            raw=printable(raw),
            progress=PROGRESS.get(raw, Progress.UNKNOWN),
            text=printable(_text(answer, "apply_status_msg", empty=True)),
            reason=printable(_text(answer, "fail_reason", empty=True)),
        )

    def _call(
        self,
        service: str,
        params: Mapping[str, object],
        deadline: Deadline,
        request_seq: str | None = None,
    ) -> Answer:
        sequence = request_seq or secrets.token_hex(wire.LONGEST_SEQ // 2)
        try:
            body = wire.build_request(
                service,
                params,
                self._credentials,
                request_seq=sequence,
                request_date=f"{self._clock().astimezone(_BEIJING):%Y%m%d%H%M%S}",
            )
        except LocalError as error:
            raise UsageError("provider.request", reason=str(error)) from None
        raw = self._link.post(
            wire.PATH, body, content_type=wire.CONTENT_TYPE, deadline=deadline
        )
        return _accepted(raw, sequence)


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
    return ChinaUms(link, own, clock or (lambda: datetime.now(UTC)))


def _accepted(raw: bytes, sequence: str) -> Answer:
    try:
        answer = wire.parse_answer(raw)
    except RemoteError as error:
        raise _untrusted(error.field or "JSON") from None
    _same(answer, "request_seq", sequence)
    if not answer.ok:
        raise Refused(
            _REFUSALS.get(answer.res_code, "provider.refused"),
            namespace=ChinaUms.name,
            raw=answer.res_code,
            text=printable(_text(answer, "res_msg", empty=True)),
        )
    return answer


def _untrusted(field: str) -> LinkFailed:
    return LinkFailed("provider.answer", name=ChinaUms.name, field=field, sent=True)


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


def _data_url(picture: Picture, data: bytes) -> str:
    if not re.fullmatch("image/[a-z]{3,4}", picture.media_type):
        raise CheckFailed("document.media_type", media_type=picture.media_type)
    text = base64.b64encode(data).decode("ascii")
    url = f"data:{picture.media_type};base64,{text}"
    if not data or len(url) > wire.PICTURE_LIMIT:
        limit = wire.PICTURE_LIMIT * 3 // 4
        raise CheckFailed(
            "document.size", kind=picture.kind, size=len(data), limit=limit
        )
    return url


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
