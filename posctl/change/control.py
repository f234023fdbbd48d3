"""What a person may do to an order beside its course: withdraw it, freeze it."""

from __future__ import annotations

from collections.abc import Iterable

from posctl.change.journal import Journal
from posctl.change.order import Order, order_over
from posctl.change.states import TRANSITIONS, State
from posctl.model.canonical import Json
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed

GIVE_UP_WORD = "ASKED"


def cancel(journal: Journal, name: str, reason: str) -> Order:
    """Withdraw an order that the provider has not heard of. Twice is harmless. One
    that nobody can ask after is given up: it claims nothing of what became of it.

    Raises:
        CheckFailed: ``order.over``, ``order.not_held``, ``cancel.too_late``;
            ``cancel.unsettled`` while it is not known what became of a step.
    """
    order = journal.order
    if order.state is State.CANCELLED:
        return order
    if order.effect:
        raise CheckFailed("cancel.unsettled", order=order.number, effect=order.effect)
    if may_give_up(order):
        told = {"operator": name, "reason": "order.given_up"}
        return journal.append("order.given_up", told)
    if order.final:
        raise order_over(order)
    if order.state not in TRANSITIONS["order.cancelled"]:
        code = "rollback.too_late" if order.committed else "cancel.too_late"
        raise CheckFailed(code, order=order.number, state=order.state)
    return journal.append("order.cancelled", {"operator": name, "reason": reason})


def may_give_up(order: Order) -> bool:
    """A person's task, and no number of an application by which it could end. Where
    the application itself commits, the provider shows what became of it."""
    return order.state is State.MANUAL and not (order.application or order.committed)


def freeze(journal: Journal, name: str, reason: str) -> Order:
    """Stop it where it is, and its clock. What was submitted already the provider may
    still decide.

    Raises:
        CheckFailed: ``order.over``, ``order.not_held``; ``freeze.unsettled`` while it
            is not known what became of a step.
    """
    order = journal.order
    if order.state is State.FROZEN:
        return order
    if order.final or order.state is State.EFFECTIVE:
        raise order_over(order)
    if order.effect:
        raise CheckFailed("freeze.unsettled", order=order.number, effect=order.effect)
    return journal.append("order.frozen", {"operator": name, "reason": reason})


def thaw(journal: Journal, name: str) -> Order:
    """Go on from the state that it was frozen in; an approver's word.

    Raises:
        CheckFailed: ``order.not_frozen``, ``order.not_held``.
    """
    order = journal.order
    if order.state is not State.FROZEN:
        raise CheckFailed("order.not_frozen", order=order.number, state=order.state)
    return journal.append("order.thawed", {"operator": name})


def due(orders: Iterable[Order], before: str) -> list[Json]:
    """Orders that expire before that time (as ``stamp`` writes it), soonest first; a
    frozen one's clock stands still."""
    found = [
        (stamp(order.expires), order)
        for order in orders
        if order.expires and not order.final and not order.committed
        if order.state is not State.FROZEN
    ]
    return [
        {"order": o.number, "expires": when, "state": str(o.state), "mid": o.mid}
        for when, o in sorted(found, key=lambda pair: pair[0])
        if when < before and o.state is not State.EFFECTIVE
    ]
