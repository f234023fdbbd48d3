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
    if order.chip_grade == Grade.GENUINE.value:
        return {"grade": order.chip_grade}
    if order.chip_grade not in _LESSER:
        raise CheckFailed("chip.failed", chip_grade=order.chip_grade)
    shown = {"chip_grade": order.chip_grade, "mask": order.new_mask[:-4] + "****"}
    try:
        person.confirm("chip.confirm", CHIP_WORD, **shown)
    except Declined:
        raise CheckFailed("chip.not_accepted", chip_grade=order.chip_grade) from None
    return {"grade": order.chip_grade, "accepted_by": context.session.operator.name}


_LESSER = frozenset(
    grade.value for grade in (Grade.NOT_CHALLENGED, Grade.COPYABLE, Grade.NOTHING)
)
