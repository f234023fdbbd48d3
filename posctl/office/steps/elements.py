"""Name, ID number, account number and mobile number belong together, says the account's
bank (R28). It never says which of them differs, and so does nobody here."""

from __future__ import annotations

from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.steps import Context
from protocols.errors import LocalError
from protocols.verification import Elements


def run(context: Context) -> Json:
    """No number is in the evidence. What was asked before is not asked anew: the
    service answers the same question under the same order as it did.

    Raises:
        CheckFailed: ``verification.not_set_up``; ``seal.content``.
        PosctlError: as ``posctl.providers.verification``.
    """
    service, account = context.session.verification(), context.account
    asked = Elements(
        context.journal.number,
        account.holder,
        account.id_number,
        account.new.reveal(),
        account.mobile,
    )
    try:
        answer = service.elements(asked, Deadline(CALL_SECONDS))
    except LocalError:  # sealed by a technician who was asked, or by somebody else
        raise CheckFailed("seal.content") from None
    return {"ref": answer.ref, "code": answer.code, "namespace": answer.namespace}
