"""How commands show an order: one shape for text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posctl.model.canonical import Json

if TYPE_CHECKING:
    from posctl.change.order import Order
from posctl.change.states import State

_NOT_KNOWN = (State.UNKNOWN, State.MANUAL, State.READBACK)


def order_view(order: Order) -> Json:
    """What every command on one order returns; masks only."""
    return {
        "order": order.number,
        "state": str(order.state),
        "terminal": str(order.terminal),
        "holder": str(order.holder),
        "mid": order.mid,
        "tid": order.tid,
        "old": order.old_mask,
        "new": order.new_mask,
        "effective": effective(order),
        "pending": order.new_mask if _undecided(order) else None,
        "application": order.application or None,
        "unsettled_effect": order.effect,
        "reason": order.reason or None,
        "valid_until": order.valid_until or None,
    }


def effective(order: Order) -> str | None:
    """The account that takings go to, as far as is known; None: not known (R40)."""
    if order.state in (State.EFFECTIVE, State.CLOSED):
        return order.new_mask
    return None if order.state in _NOT_KNOWN else order.old_mask


def _undecided(order: Order) -> bool:
    return not order.final and order.state is not State.EFFECTIVE


def order_row(order: Order) -> Json:
    """One line of a list of orders."""
    return {
        "order": order.number,
        "state": str(order.state),
        "terminal": str(order.terminal),
        "holder": str(order.holder),
        "tid": order.tid,
        "new": order.new_mask,
        "changed": order.changed[:16].replace("T", " "),
    }
