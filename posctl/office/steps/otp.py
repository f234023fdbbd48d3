"""A code goes to the mobile number that the account's bank has; the merchant tells it
to the approver on the phone (R28).

A run asks for one code at most. It keeps nothing: after a run that ended half-way, or
within the 60 s of a code, the next one asks for the code that was sent. The code is
never stored and never logged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from posctl.change.journal import Journal
from posctl.change.verify import record
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.steps import Context, masked_phone
from posctl.providers.verification import VerificationService
from protocols.verification import Answer

_DIGITS = 6


def run(context: Context) -> Json:
    """Raises CheckFailed ``otp.not_received``: the person says so by no answer; besides
    as ``posctl.providers.verification``."""
    service = context.session.verification()
    ref = str(context.earlier["elements"]["ref"])
    sent = service.send(ref, Deadline(CALL_SECONDS))
    answer = context.session.place.person.ask(
        "ask.otp",
        _checker(context.journal, service, ref),
        secret=True,
        mobile=masked_phone(context.account.mobile),
        seconds=sent.expires_seconds,
    )
    if answer is None:
        raise CheckFailed(
            "otp.not_received", seconds=sent.resend_seconds, left=sent.left
        )
    return {"ref": ref, "code": answer.code, "namespace": answer.namespace}


def _checker(
    journal: Journal, service: VerificationService, ref: str
) -> Callable[[str], Answer | None]:
    """A wrong code is recorded and asked for again, as long as the service lets it."""

    def check(text: str) -> Answer | None:
        otp = "".join(unicodedata.normalize("NFKC", text).split())
        if not otp:
            return None
        if len(otp) != _DIGITS or not (otp.isascii() and otp.isdigit()):
            raise CheckFailed("otp.form", count=_DIGITS)
        try:
            return service.check(ref, otp, Deadline(CALL_SECONDS))
        except CheckFailed as wrong:
            record(journal, "otp", wrong)
            raise

    return check
