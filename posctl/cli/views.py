"""How commands show an order: one shape for text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posctl.change.states import Holder, State
from posctl.model.canonical import Json
from posctl.model.clock import stamp

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from posctl.change.order import Order
    from posctl.cli.console import Console


def order_view(order: Order) -> Json:
    """What every command on one order returns; masks only.

    ``effective`` is the account that takings go to; None while the provider may have
    changed it since it was asked, and for orders that are over (later ones may have
    changed it). ``pending`` is the account that is to follow (R40).
    """
    return {
        "order": order.number,
        "state": str(order.state),
        "terminal": str(order.terminal),
        "holder": None if order.final else str(order.holder),
        "mid": order.mid,
        "tid": order.tid,
        "old": order.old_mask or order.provider_mask or None,
        "new": shown_before_approval(order),
        "effective": effective(order),
        "pending": shown_before_approval(order) if _undecided(order) else None,
        "application": order.application or None,
        "unsettled_effect": order.effect,
        "reason": order.reason or None,
        "valid_until": stamp(order.expires) if order.expires else None,
    }


def shown_before_approval(order: Order) -> str:
    """The approver takes the last four digits from paper, not from a screen (R30)."""
    if order.valid_until and not order.approver and not order.final:
        return order.new_mask[:-4] + "****"
    return order.new_mask


def effective(order: Order) -> str | None:
    """The account that takings go to, as far as it is known for certain now."""
    if order.state is State.EFFECTIVE:
        return order.new_mask
    if order.final or order.committed:
        return None
    return order.old_mask or order.provider_mask or None


def _undecided(order: Order) -> bool:
    return not order.final and order.state is not State.EFFECTIVE


def say_found(console: Console, order: Order) -> None:
    """Where an order stands, before something is done to it."""
    console.tell(
        "resume.found",
        order=order.number,
        state=str(order.state),
        since=order.changed,
    )
    if order.effect:
        console.tell("resume.effect", effect=order.effect, since=order.effect_since)


_NEXT: dict[State, str] = {
    **dict.fromkeys(
        (State.DRAFT, State.PRECHECKED, State.BACKED_UP), "posctl change resume {}"
    ),
    State.PROPOSED: "posctl change approve {}",
    **dict.fromkeys(
        (
            State.APPROVED,
            State.COOLING,
            State.SUBMITTED,
            State.WAITING_MERCHANT,
            State.AUDITING,
            State.UNKNOWN,
            State.MANUAL,
            State.READBACK,
        ),
        "posctl change commit {}",
    ),
    State.EFFECTIVE: "posctl change confirm {}",
    State.FROZEN: "posctl change thaw {}",
    State.CLOSED: "posctl receipt show {}",
}


def what_next(order: Order) -> str | None:
    """The command that brings the order on; None where it is over without effect."""
    pattern = _NEXT.get(order.state)
    if order.state is State.FROZEN and order.holder is Holder.FIELD:
        pattern = "posctl change rollback {}"  # a thaw is the office's word
    return pattern.format(order.number) if pattern else None


def submission_view(order: Order, store_head: str, root: Certificate) -> Json:
    """What a submission slip says: no proof, but both heads (R45, R50)."""
    from posctl.store.keys import is_test_root

    return {
        "order": order.number,
        "state": str(order.state),
        "mid": order.mid,
        "tid": order.tid,
        "serial": order.serial,
        "old": order.old_mask or order.provider_mask or None,
        "new": shown_before_approval(order),
        "effective": effective(order),
        "fee": order.fee,
        "maker": order.operator,
        "approver": order.approver or None,
        "application": order.application or None,
        "opened": order.opened,
        "changed": order.changed,
        "valid_until": order.valid_until,
        "order_head": order.hash,
        "store_head": store_head,
        "signed": False,
        "test_root": is_test_root(root),
    }


def order_row(order: Order) -> Json:
    """One line of a list of orders."""
    return {
        "order": order.number,
        "state": str(order.state),
        "terminal": str(order.terminal),
        "holder": None if order.final else str(order.holder),
        "tid": order.tid,
        "new": shown_before_approval(order),
        "changed": order.changed,
    }
