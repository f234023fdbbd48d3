"""After a change: does the provider still show the account that was set (R45)?"""

from __future__ import annotations

from datetime import timedelta

from posctl.change.journal import exclusive
from posctl.change.order import Order
from posctl.change.states import TRANSITIONS
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.providers import Capability, Provider
from protocols.sensitive import consistent

SAME, MOVED, NOT_OFFERED = "same", "moved", "not offered"


def look_again(session: Session) -> list[Json]:
    """Every merchant's last effective change whose hour has come; what was found is
    recorded once, and a binding that moved goes to the outbox as an alert.

    Raises:
        Refused, LinkFailed: as the provider's call.
    """
    provider = session.provider()
    return [
        _look(session, provider, order, hours)
        for order in _newest(session)
        if (hours := _due(session, order)) is not None
    ]


def raise_alarm(found: list[Json]) -> None:
    """Raises CheckFailed ``watch.moved`` for the first that moved without an order."""
    for item in found:
        if item["verdict"] == MOVED:
            shown = {"mid": item["mid"], "shown": item["shown"]}
            raise CheckFailed("watch.moved", order=item["order"], **shown)


def _newest(session: Session) -> list[Order]:
    last: dict[str, Order] = {}
    for order in session.place.orders():
        known = last.get(order.mid)
        if order.effective_at and (
            known is None or order.effective_at > known.effective_at
        ):
            last[order.mid] = order
    return list(last.values())


def _due(session: Session, order: Order) -> int | None:
    """The last of the profile's hours that has come and was not looked at yet."""
    since = session.place.clock.now() - moment(order.effective_at)
    come = [h for h in session.place.profile.watch.hours if since >= timedelta(hours=h)]
    events = session.place.log.events(order.number)
    done = {e.payload.get("hours") for e in events if e.kind.startswith("watch.")}
    left = [hours for hours in come if hours not in done]
    return max(left, default=None)


def _look(session: Session, provider: Provider, order: Order, hours: int) -> Json:
    seen: Json = {"order": order.number, "mid": order.mid, "hours": hours}
    if Capability.READ_BINDING not in provider.capabilities:
        return {**seen, "shown": None, "verdict": NOT_OFFERED}
    found = provider.read_binding(order.mid, Deadline(CALL_SECONDS))
    shown = found.effective or found.pending
    same = shown is not None and consistent(shown, order.new_mask) is not None
    verdict = SAME if same and found.effective else MOVED
    seen = {**seen, "shown": shown, "verdict": verdict}
    _record(session, order, seen)
    return seen


def _record(session: Session, order: Order, seen: Json) -> None:
    """An order that the field still has is only told of: the outbox is this place's."""
    place, verdict = session.place, seen["verdict"]
    alert = {**seen, "alert": "watch.moved", "expected": order.new_mask}
    key = f"{order.number}:watch:{seen['hours']}"
    notices = {key: alert} if verdict == MOVED else {}
    kind = f"watch.{verdict}"
    if order.holder is place.holder and order.state in TRANSITIONS[kind]:
        with exclusive(place.log, order.number):
            place.journal(order.number).append(kind, seen, notices=notices)
    elif notices:
        place.log.notify(order.number, notices)
