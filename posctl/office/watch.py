"""After a change: does the provider still show the account that was set (R45)?

By then the order is over and often in the field's hands: what was looked at is noted in
a file of the office, and what moved goes to the outbox as an alert.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from posctl.change.journal import exclusive
from posctl.change.order import Order
from posctl.model.canonical import Json
from posctl.model.clock import moment, stamp
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, PosctlError
from posctl.model.profile import Profile
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.providers import Capability, Provider
from posctl.store.files import read_as, texts, write_json
from protocols.sensitive import consistent

_LATE = timedelta(days=30)
"""How long after its last hour a change is still looked at, if nobody did in time."""
SAME, MOVED, NOT_OFFERED = "same", "moved", "not offered"
SETTLEMENT = "first settlement"


def look_again(session: Session) -> list[Json]:
    """Every merchant's last effective change whose hour has come; what was found is
    recorded once, and a binding that moved goes to the outbox as an alert.

    Raises:
        Refused, LinkFailed: the first that a provider's call raised, with the order;
            not before each merchant had its turn, and not where a binding moved.
    """
    provider, found = session.provider(), list[Json]()
    failed: list[PosctlError] = []
    with exclusive(session.place.log, "watch"):
        for order in _newest(session):
            if (due := _due(session, order)) is None:
                continue
            try:
                found.append(_look(session, provider, order, due))
            except PosctlError as failure:
                name = f"{order.number} ({order.mid})"
                session.place.person.tell("each.failed", name=name, failure=failure)
                failure.params.setdefault("order", order.number)
                failed.append(failure)
    if failed and not any(item["verdict"] == MOVED for item in found):
        raise failed[0]
    return found


def raise_alarm(found: list[Json]) -> None:
    """Raises CheckFailed ``watch.moved`` for the first that moved without an order."""
    for item in found:
        if item["verdict"] == MOVED:
            shown = {"mid": item["mid"], "shown": item["shown"]}
            raise CheckFailed("watch.moved", order=item["order"], **shown)


def _newest(session: Session) -> list[Order]:
    place, last = session.place, dict[str, Order]()
    longest = timedelta(hours=max(place.profile.watch.hours, default=24)) + _LATE
    for order in place.orders(since=stamp(place.clock.now() - longest)):
        known = last.get(order.mid)
        if order.effective_at and (
            known is None or order.effective_at > known.effective_at
        ):
            last[order.mid] = order
    return list(last.values())


@dataclass(frozen=True, order=True)
class Due:
    """A moment at which to look, and what it is called."""

    at: datetime
    name: str


def moments(profile: Profile, order: Order) -> list[Due]:
    """When an effective order is looked at again, soonest first."""
    effective, rules = moment(order.effective_at), profile.watch
    found = [Due(effective + timedelta(hours=h), f"{h} h") for h in rules.hours]
    if rules.settlement is not None:
        local = effective.astimezone(profile.zone)
        first = datetime.combine(local.date(), rules.settlement, profile.zone)
        if first <= local:  # of that day it was over
            first += timedelta(days=1)
        found.append(Due(first.astimezone(effective.tzinfo), SETTLEMENT))
    return sorted(found)


def _due(session: Session, order: Order) -> Due | None:
    """The last one that has come and was not looked at yet."""
    now, done = session.place.clock.now(), _looked_at(session).get(order.number, "")
    come = [due for due in moments(session.place.profile, order) if due.at <= now]
    return next((due for due in come[-1:] if stamp(due.at) > done), None)


def _file(session: Session) -> Path:
    return session.place.home.office / "watched.json"


def _looked_at(session: Session) -> dict[str, str]:
    """Order -> the last moment that was looked at, as ``stamp`` writes it."""
    path = _file(session)
    return read_as(path, texts) if path.exists() else {}


def _look(session: Session, provider: Provider, order: Order, due: Due) -> Json:
    seen: Json = {"order": order.number, "mid": order.mid, "at": due.name}
    if Capability.READ_BINDING not in provider.capabilities:
        return {**seen, "shown": None, "verdict": NOT_OFFERED}
    found = provider.read_binding(order.mid, Deadline(CALL_SECONDS))
    shown = found.effective or found.pending
    if found.effective is None and _is_ours(session, order.mid, shown):
        return {**seen, "shown": None, "verdict": NOT_OFFERED}  # looked at again later
    agreed = consistent(shown, order.new_mask) if shown else None
    if agreed == 0:  # all of it hidden
        return {**seen, "shown": shown, "verdict": NOT_OFFERED}
    if not agreed and _under_way(session, order.mid, shown):
        return {**seen, "shown": None, "verdict": NOT_OFFERED}
    verdict = SAME if agreed and found.effective else MOVED
    seen = {**seen, "shown": shown, "verdict": verdict}
    _record(session, order, due, seen)
    return seen


def _is_ours(session: Session, mid: str, shown: str | None) -> bool:
    """An order of this office asked for that account: while it is verified, and after
    it was refused, the provider does not show the one in force (R40)."""
    return shown is not None and any(
        order.new_mask and bool(consistent(shown, order.new_mask))
        for order in session.place.orders(mid=[mid])
    )


def _under_way(session: Session, mid: str, shown: str | None) -> bool:
    """An order of this office that is past its commit point, and whose run has not yet
    read what came of it."""
    return shown is not None and any(
        order.committed and not order.effective_at and not order.final
        for order in session.place.orders(mid=[mid])
        if order.new_mask and consistent(shown, order.new_mask)
    )


def _record(session: Session, order: Order, due: Due, seen: Json) -> None:
    """The alert first: a crash between the two looks again, under the same key."""
    if seen["verdict"] == MOVED:
        alert = {**seen, "alert": "watch.moved", "expected": order.new_mask}
        key = f"{order.number}:watch:{due.name}"
        session.place.log.notify(order.number, {key: alert})
    done = {**_looked_at(session), order.number: stamp(due.at)}
    write_json(_file(session), done)
