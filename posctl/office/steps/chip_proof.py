"""How far did the card's chip prove itself? (R24)"""

from __future__ import annotations

from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, Declined
from posctl.office.steps import Context
from protocols.cardproof import Grade

CHIP_WORD = "CHIP"


def run(context: Context) -> Json:
    """Only a genuine chip passes alone; a lesser one the approver takes upon himself. A
    number that was typed has none, and he sees that it was.

    Raises:
        CheckFailed: ``chip.failed``, ``chip.not_accepted``.
    """
    order, person = context.journal.order, context.session.place.person
    if order.source != "chip":
        return {"grade": "not applicable: no chip was read"}
    if order.proof == Grade.GENUINE.value:
        return {"grade": order.proof}
    if order.proof not in _LESSER:
        raise CheckFailed("chip.failed", proof=order.proof)
    shown = {"proof": order.proof, "mask": order.new_mask[:-4] + "****"}
    try:
        person.confirm("chip.confirm", CHIP_WORD, **shown)
    except Declined:
        raise CheckFailed("chip.not_accepted", proof=order.proof) from None
    return {"grade": order.proof, "accepted_by": context.session.operator.name}


_LESSER = frozenset(
    grade.value for grade in (Grade.NOT_CHALLENGED, Grade.COPYABLE, Grade.NOTHING)
)
