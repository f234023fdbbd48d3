"""The caps that the field can count in its own store (R14); the office counts again."""

from __future__ import annotations

from datetime import timedelta

from posctl.change.order import Order
from posctl.change.states import State
from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.errors import CheckFailed


def run(context: Context) -> Json:
    """Raises CheckFailed ``caps.technician``, ``caps.recent``."""
    place, own = context.place, context.journal.order
    rules = place.profile.caps
    open_now = sum(o.operator == own.operator and o.blocks for o in place.open_orders())
    if open_now > rules.open_per_technician:
        raise CheckFailed(
            "caps.technician", name=own.operator, limit=rules.open_per_technician
        )
    since = place.clock.now() - timedelta(days=rules.days_between_changes)
    recent = [o for o in place.orders(mid=[own.mid]) if changed_since(o, since)]
    if rules.days_between_changes and recent:
        raise CheckFailed(
            "caps.recent", order=recent[0].number, days=rules.days_between_changes
        )
    return {"open": open_now}


def changed_since(order: Order, since: object) -> bool:
    """It became effective, and that was not long ago."""
    done = order.state in (State.EFFECTIVE, State.CLOSED) and order.effective_at
    return bool(done) and moment(order.effective_at) > since  # type: ignore[operator]
