"""A provider's push: it never changes a state, it only says what to ask (R46)."""

from __future__ import annotations

from posctl.change.order import Order
from posctl.change.states import State
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, PosctlError
from posctl.office.commit import commit
from posctl.office.place import Session

_WAITS = (State.WAITING_MERCHANT, State.AUDITING, State.UNKNOWN, State.READBACK)
"""Where going on only asks: a push neither submits nor signs."""


def take_push(session: Session, headers: dict[str, str], body: bytes) -> Json:
    """Check it, ask the provider about its application, say what to answer: also
    where it could not be asked now, or the order is over.

    Raises:
        CheckFailed: ``notice.forged``, ``notice.stranger``: no order of ours.
        OtherChannel: ``provider.cannot``.
    """
    notice = session.provider().open_notice(headers, body)
    order = _order_of(session, notice.application)
    if order.state in _WAITS and order.committed and not order.effect:
        order = _ask(session, order)
    return {
        "order": order.number,
        "state": str(order.state),
        "raw": notice.raw,
        "reply": notice.reply.decode("utf-8", "replace"),
    }


def _ask(session: Session, order: Order) -> Order:
    """What came of it is in the log; what did not, the next commit asks again."""
    try:
        return commit(session, order.number, 0.0)
    except PosctlError:
        return session.place.journal(order.number).order


def _order_of(session: Session, application: str | None) -> Order:
    if application:
        for order in session.place.orders(application=[application]):
            return order
    raise CheckFailed("notice.stranger", application=application or "-")
