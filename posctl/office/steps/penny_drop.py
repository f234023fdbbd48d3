"""0.01 yuan is paid to the new account under the holder's name, and the account's bank
says whether it arrived (R29). Whether it was paid is one thing, whether that proves the
account another: a "defective success" does not.
"""

from __future__ import annotations

from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.steps import Context
from protocols.errors import LocalError
from protocols.verification import Payment


def run(context: Context) -> Json:
    """No number is in the evidence. Nothing has to be written before the call: the
    service pays once for an order, so to ask again is to ask how that payment ended
    (R41).

    Raises:
        CheckFailed: ``verification.not_set_up``; ``seal.content``.
        PosctlError: as ``posctl.providers.verification``.
    """
    service, account = context.session.verification(), context.account
    asked = Payment(context.journal.number, account.holder, account.new.reveal())
    try:
        answer = service.pay(asked, Deadline(CALL_SECONDS))
    except LocalError:  # sealed by a technician who was asked, or by somebody else
        raise CheckFailed("seal.content") from None
    return {"ref": answer.ref, "code": answer.code, "namespace": answer.namespace}
