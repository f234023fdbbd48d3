"""Which account a merchant of this type may have, and with which document of its
owner's it may change its account here (R13)."""

from __future__ import annotations

from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed

_REFUSALS = {
    "micro": "eligibility.micro",
    "individual": "eligibility.individual",
    "enterprise": "eligibility.enterprise",
    "government": "eligibility.government",
    "other": "eligibility.other",
}


def run(context: Context) -> Json:
    """Raises CheckFailed ``eligibility.unknown``, ``eligibility.papers``,
    ``eligibility.no_papers``, or with its own code for each type of merchant:
    ``eligibility.micro`` and so on."""
    order = context.journal.order
    found = context.place.terminal_list(order.mid)
    subject = found.subject
    if subject is None:
        raise CheckFailed("eligibility.unknown", mid=order.mid)
    allowed = context.place.profile.accounts_for(subject)
    if order.account_type not in allowed:
        account, words = order.account_type, ", ".join(allowed) or "-"
        raise CheckFailed(_REFUSALS[subject], account=account, allowed=words)
    context.place.profile.check_papers(order.mid, found.papers)
    return {"subject": subject, "account": order.account_type}
