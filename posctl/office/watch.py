"""After a change: does the provider still show the account that was set (R45)?

By then the order is over and often in the field's hands: what was looked at is noted in
a file of the office, and what moved goes to the outbox as an alert.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from posctl.change.journal import exclusive
from posctl.change.order import Order
from posctl.model.canonical import Json
from posctl.model.clock import moment, stamp
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.providers import Capability, Provider
from posctl.store.files import read_json, write_json
from protocols.sensitive import consistent

_LATE = timedelta(days=30)
"""How long after its last hour a change is still looked at, if nobody did in time."""
SAME, MOVED, NOT_OFFERED = "same", "moved", "not offered"


def look_again(session: Session) -> list[Json]:
    """Every merchant's last effective change whose hour has come; what was found is
    recorded once, and a binding that moved goes to the outbox as an alert.

    Raises:
        Refused, LinkFailed: as the provider's call.
    """
    provider = session.provider()
    with exclusive(session.place.log, "watch"):
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
    place, last = session.place, dict[str, Order]()
    longest = timedelta(hours=max(place.profile.watch.hours, default=0)) + _LATE
    for order in place.orders(since=stamp(place.clock.now() - longest)):
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
    done = _looked_at(session).get(order.number, 0)
    return max((hours for hours in come if hours > done), default=None)


def _file(session: Session) -> Path:
    return session.place.home.office / "watched.json"


def _looked_at(session: Session) -> dict[str, int]:
    """Order -> the last hour that was looked at."""
    path = _file(session)
    return dict(read_json(path)) if path.exists() else {}


def _look(session: Session, provider: Provider, order: Order, hours: int) -> Json:
    seen: Json = {"order": order.number, "mid": order.mid, "hours": hours}
    if Capability.READ_BINDING not in provider.capabilities:
        return {**seen, "shown": None, "verdict": NOT_OFFERED}
    found = provider.read_binding(order.mid, Deadline(CALL_SECONDS))
    shown = found.effective or found.pending
    if found.effective is None and _is_ours(session, order.mid, shown):
        return {**seen, "shown": None, "verdict": NOT_OFFERED}  # looked at again later
    same = shown is not None and consistent(shown, order.new_mask) is not None
    verdict = SAME if same and found.effective else MOVED
    seen = {**seen, "shown": shown, "verdict": verdict}
    _record(session, order, seen)
    return seen


def _is_ours(session: Session, mid: str, shown: str | None) -> bool:
    """An order of this office asked for that account: while it is verified, and after
    it was refused, the provider does not show the one in force (R40)."""
    return shown is not None and any(
        order.new_mask and consistent(shown, order.new_mask) is not None
        for order in session.place.orders(mid=[mid])
    )


def _record(session: Session, order: Order, seen: Json) -> None:
    """The alert first: a crash between the two looks again, under the same key."""
    if seen["verdict"] == MOVED:
        alert = {**seen, "alert": "watch.moved", "expected": order.new_mask}
        key = f"{order.number}:watch:{seen['hours']}"
        session.place.log.notify(order.number, {key: alert})
    done = {**_looked_at(session), order.number: seen["hours"]}
    write_json(_file(session), done)
