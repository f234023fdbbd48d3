"""The caps, counted over all technicians, on the state after the change (R13, R14)."""

from __future__ import annotations

from datetime import datetime, timedelta

from posctl.change.order import Order
from posctl.change.states import State
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.errors import CheckFailed
from posctl.office.account import account_id
from posctl.office.place import OfficePlace
from posctl.office.registry import find_merchant
from posctl.office.steps import Context

_HOLDS = frozenset(State) - {
    *(State.REJECTED, State.EXPIRED, State.CANCELLED, State.ROLLED_BACK)
}


def run(context: Context) -> Json:
    """Raises CheckFailed ``office.cap_account`` (already used by other merchants),
    ``office.cap_technician``, ``office.cap_recent``, ``office.cap_phone``."""
    own, place = context.journal.order, context.session.place
    now = place.clock.now()
    return {
        "merchants": _merchants(context),
        "open": _open_orders(context, own),
        "recent": _recent(context, own, now),
        "phone": _phone(context, own, now),
    }


def _merchants(context: Context) -> int:
    """How many merchants the account may settle afterwards: a merchant counts by the
    account in force, and by one that is on its way."""
    place, own = context.session.place, context.journal.order
    limit = place.profile.caps.merchants_per_account
    account = account_id(context.session, context.account.new)
    mids = {o.mid for o in place.orders(account_id=[account])} - {own.mid}
    count = 1 + sum(account in _accounts(place, mid) for mid in mids)
    if count > limit:
        raise CheckFailed("office.cap_account", limit=limit, count=count)
    return count


def _accounts(place: OfficePlace, mid: str) -> set[str]:
    """The account that the merchant has by its last effective order, and the one that a
    later order will give it, which may come to nothing. By the order in which they came
    here: ``opened`` is the time of a field's clock."""
    given = [o for o in place.orders(mid=[mid]) if o.account_id and o.state in _HOLDS]
    in_force = [n for n, order in enumerate(given) if order.effective_at]
    since = in_force[-1] if in_force else 0
    return {order.account_id for order in given[since:]}


def _open_orders(context: Context, own: Order) -> int:
    place = context.session.place
    limit = place.profile.caps.open_per_technician
    others = [o for o in place.open_orders() if o.number != own.number]
    count = 1 + sum(o.operator == own.operator and o.blocks for o in others)
    if count > limit:
        raise CheckFailed("office.cap_technician", name=own.operator, limit=limit)
    return count


def _recent(context: Context, own: Order, now: datetime) -> str:
    place = context.session.place
    days = place.profile.caps.days_between_changes
    done = [o for o in place.orders(mid=[own.mid]) if o.effective_at]
    newest = max(done, key=lambda o: o.effective_at, default=None)
    if newest is None:
        return "none"
    if moment(newest.effective_at) > now - timedelta(days=days):
        raise CheckFailed("office.cap_recent", order=newest.number, days=days)
    return newest.number


def _phone(context: Context, own: Order, now: datetime) -> str:
    """A phone change and a card change never follow closely (R15)."""
    place = context.session.place
    days, merchant = place.profile.caps.days_after_phone_change, None
    if days:
        merchant = find_merchant(place, own.mid)
    if merchant is None or not merchant.phone_changed:
        return "not known to have changed"
    today = now.astimezone(place.profile.zone).date()
    if merchant.phone_changed > (today - timedelta(days=days)).isoformat():
        raise CheckFailed("office.cap_phone", on=merchant.phone_changed, days=days)
    return merchant.phone_changed
