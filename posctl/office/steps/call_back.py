"""The approver calls the merchant on the number on file, never on one that came with
the order (R27)."""

from __future__ import annotations

from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, Declined
from posctl.office.registry import find_merchant
from posctl.office.steps import Context, masked_phone

CALLED_WORD = "CALLED"


def run(context: Context) -> Json:
    """Raises CheckFailed ``callback.no_number``, ``callback.not_done``."""
    order, place = context.journal.order, context.session.place
    merchant = find_merchant(place, order.mid)
    if merchant is None or not merchant.phone:
        raise CheckFailed("callback.no_number", mid=order.mid)
    shown = {"phone": merchant.phone, "mid": order.mid, "mask": order.new_mask}
    try:
        place.person.confirm("callback.confirm", CALLED_WORD, **shown)
    except Declined:
        raise CheckFailed("callback.not_done", mid=order.mid) from None
    return {"called": masked_phone(merchant.phone), "by": context.session.operator.name}
