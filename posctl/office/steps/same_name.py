"""Is the account the merchant's own? (R26)"""

from __future__ import annotations

from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, Declined
from posctl.model.names import JOINED, Grade, compare
from posctl.office.registry import Merchant, find_merchant
from posctl.office.steps import Context

NAME_WORD = "NAME"


def run(context: Context) -> Json:
    """The grade. Other than the first two, the approver takes it upon himself, with the
    document before him; also a name that was put together of two parts of a chip.

    Raises:
        CheckFailed: ``name.not_on_file``; ``name.not_accepted``.
    """
    order, place = context.journal.order, context.session.place
    merchant = find_merchant(place, order.mid)
    if merchant is None:
        raise CheckFailed("name.not_on_file", mid=order.mid)
    expected = name_on_file(merchant, order.account_type)
    grade = compare(expected, context.account.holder)
    by = context.account.holder_by
    if grade.passes and by != JOINED:
        return {"grade": str(grade), "by": by}
    shown = {"grade": grade, "file": expected, "account": context.account.holder or "-"}
    try:
        place.person.confirm("name.confirm", NAME_WORD, **shown)
    except Declined:
        raise CheckFailed("name.not_accepted", grade=grade) from None
    accepted = {"accepted_by": context.session.operator.name}
    return {"grade": str(grade), "by": by, **accepted}


def name_on_file(merchant: Merchant, account_type: str) -> str:
    """A card is the owner's, a company's account the company's."""
    return merchant.name if account_type == "corporate" else merchant.owner


def grade_of(evidence: Json) -> str:
    """From the evidence of an order's steps; ``""`` where the profile has no such."""
    return str(evidence.get("same_name", {}).get("grade", ""))


def is_other_holder(grade: str) -> bool:
    return bool(grade) and not Grade(grade).passes
