"""A provider's push: it never changes a state, it only says what to ask (R46)."""

from __future__ import annotations

from posctl.change.order import Order
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, NotYetEffective, Refused, StateUnknown
from posctl.office.commit import commit
from posctl.office.place import Session


def take_push(session: Session, headers: dict[str, str], body: bytes) -> Json:
    """Check it, ask the provider about its application, say what to answer.

    Raises:
        CheckFailed: ``notice.forged``, ``notice.stranger``: no order of ours.
        OtherChannel: ``provider.cannot``.
    """
    notice = session.provider().open_notice(headers, body)
    order = _order_of(session, notice.application)
    try:
        order = commit(session, order.number, 0.0)
    except (NotYetEffective, StateUnknown, Refused):  # the query said so; recorded
        order = session.place.journal(order.number).order
    return {
        "order": order.number,
        "state": str(order.state),
        "raw": notice.raw,
        "reply": notice.reply.decode("utf-8", "replace"),
    }


def _order_of(session: Session, application: str | None) -> Order:
    if application:
        for order in session.place.orders(application=[application]):
            return order
    raise CheckFailed("notice.stranger", application=application or "-")
