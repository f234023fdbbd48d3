"""The verification service: four elements, a one-time code, a payment of 0.01 yuan.

**Ours, no payment company's** (``protocols.verification``): it stands beside the
provider, and a set-up may be without one. A refusal keeps its namespace and code.

Every call raises ``Refused`` or ``OtherChannel`` when the service said no, LinkFailed
with ``sent`` False when it was not asked, and StateUnknown when no trustworthy answer
came, or the service had none: that is no word on the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from posctl.links.https import HttpAnswer, HttpsLink
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    CheckFailed,
    LinkFailed,
    OtherChannel,
    PosctlError,
    Refused,
    StateUnknown,
    UsageError,
)
from protocols import verification as wire
from protocols.errors import RemoteError
from protocols.verification import Answer, Elements, Payment

NAME = "posctl-verification"
NEEDED = ("verification_url", "verification_key", "verification_token")
"""What the credentials hold: address, public key (64 hexadecimal digits), token."""

_KEY_BYTES = 32
Said = tuple[str, str]
Ends = Mapping[Said, tuple[type[PosctlError], str]]

_ELEMENTS: Ends = {
    wire.MISMATCH: (Refused, "elements.mismatch"),
    wire.NO_SUCH_CARD: (Refused, "elements.card"),
    wire.NOT_ACTIVATED: (Refused, "elements.card"),
    wire.LOCKED: (Refused, "elements.card"),
    wire.UNSUPPORTED: (OtherChannel, "elements.unsupported"),
    wire.NO_PHONE: (OtherChannel, "elements.no_phone"),
    wire.USED_UP: (Refused, "elements.used_up"),
    wire.BUSY: (Refused, "elements.busy"),
    wire.LATE: (StateUnknown, "elements.unknown"),
    wire.NO_ANSWER: (StateUnknown, "elements.unknown"),
}
_OTP: Ends = {
    wire.WRONG_CODE: (CheckFailed, "otp.wrong"),  # asked for again
    wire.EXPIRED: (Refused, "otp.expired"),
    wire.USED_UP: (OtherChannel, "otp.used_up"),
    wire.NO_PHONE: (OtherChannel, "otp.no_phone"),
    wire.BUSY: (Refused, "otp.busy"),
    wire.LATE: (StateUnknown, "otp.unknown"),
    wire.NO_ANSWER: (StateUnknown, "otp.unknown"),
}
_PENNY: Ends = {
    wire.MISMATCH: (Refused, "penny.mismatch"),
    wire.NO_SUCH_CARD: (Refused, "penny.card"),
    wire.NOT_ACTIVATED: (Refused, "penny.card"),
    wire.LOCKED: (Refused, "penny.card"),
    wire.UNSUPPORTED: (OtherChannel, "penny.unsupported"),
    wire.USED_UP: (Refused, "penny.used_up"),
    wire.BUSY: (Refused, "penny.busy"),
    **dict.fromkeys(wire.DEFECTIVE, (OtherChannel, "penny.defective")),
    **dict.fromkeys(wire.UNDECIDED, (StateUnknown, "penny.unknown")),
}
_OTHER = (Refused, "verification.refused")
_ALSO_GOOD: Mapping[str, Said] = {wire.SEND: wire.TOO_SOON}
"""What is no refusal besides OK, and to which call alone."""


class VerificationService:
    """The adapter; see the module for its errors."""

    def __init__(self, link: HttpsLink, key: bytes, token: str) -> None:
        self._link = link
        self._key = key
        self._token = token

    def elements(self, asked: Elements, deadline: Deadline) -> Answer:
        """Whether the four belong together. Asked again under the same order, the same
        question is answered as before, and counts once.

        Raises:
            LocalError: an element of another form; nothing was sent.
        """
        body = wire.build_elements(asked, self._key)
        return self._accepted(_ELEMENTS, wire.ELEMENTS, body, deadline)

    def send(self, ref: str, deadline: Deadline) -> Answer:
        """Have a code sent, unless one that still counts was sent just before."""
        return self._accepted(_OTP, wire.SEND, wire.build_send(ref), deadline)

    def check(self, ref: str, otp: str, deadline: Deadline) -> Answer:
        """Whether the code is the one that was sent. Raises CheckFailed ``otp.wrong``
        with the tries that are ``left``; LocalError as ``elements``."""
        body = wire.build_check(ref, otp, self._key)
        return self._accepted(_OTP, wire.CHECK, body, deadline)

    def pay(self, asked: Payment, deadline: Deadline) -> Answer:
        """Whether 0.01 yuan arrived on the account, under the name. Asked again under
        the same order it is the same payment, never a second one.

        Raises:
            LocalError: name or account of another form; nothing was sent.
        """
        body = wire.build_payment(asked, self._key)
        return self._accepted(_PENNY, wire.PAYMENT, body, deadline)

    def _accepted(
        self, ends: Ends, path: str, body: bytes, deadline: Deadline
    ) -> Answer:
        try:
            answer = self._call(path, body, deadline)
        except LinkFailed as failure:
            if failure.params.get("sent") is False:
                raise
            kind, code = ends[wire.NO_ANSWER]
            lost = kind(code, namespace="link", raw=failure.code, left="?")
            lost.frames = failure.frames
            raise lost from failure
        if answer.said in (wire.OK, _ALSO_GOOD.get(path)):
            return answer
        kind, code = ends.get(answer.said, _OTHER)
        raise kind(code, namespace=answer.namespace, raw=answer.code, left=answer.left)

    def _call(self, path: str, body: bytes, deadline: Deadline) -> Answer:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": wire.CONTENT_TYPE,
        }
        answer = self._link.call(
            "POST", path, headers=headers, body=body, deadline=deadline
        )
        self._check_status(answer)
        try:
            return wire.parse_answer(path, answer.body)
        except RemoteError as error:
            field = error.field or "JSON"
            raise LinkFailed(
                "provider.answer", name=NAME, field=field, sent=True
            ) from None

    def _check_status(self, answer: HttpAnswer) -> None:
        if answer.status == 401:
            raise Refused("provider.credentials", namespace=NAME, raw="401", text="")
        if answer.status != 200:
            raise LinkFailed(
                "host.status",
                host=self._link.host,
                reason=str(answer.status),
                sent=True,
            )


def open_verification(
    credentials: Mapping[str, str], *, ca_file: Path
) -> VerificationService:
    """The service that the credentials name. Nothing is sent yet.

    Raises:
        UsageError: ``provider.settings``, ``host.url``, ``host.ca_file``.
    """
    url, key_text, token = (credentials.get(name, "") for name in NEEDED)
    try:
        key = bytes.fromhex(key_text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES or not token.isascii() or not token.isalnum():
        raise UsageError("provider.settings", name=NAME, needed=", ".join(NEEDED))
    return VerificationService(HttpsLink(url, ca_file=ca_file), key, token)
