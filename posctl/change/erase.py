"""Erasing what is personal in an order, after its retention (R50).

Events hold masks and hashes only; numbers, pictures and back-ups are boxes that events
name by their SHA-256. The boxes go, the chain stays and verifies.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from posctl.change.place import Place
from posctl.model.clock import moment, stamp
from posctl.model.errors import CheckFailed, UsageError

ERASE_WORD = "ERASE"


def check_erasable(places: Sequence[Place], number: str) -> None:
    """Over, and its retention too.

    Raises:
        CheckFailed: ``erase.open``, ``erase.early`` with the day.
        UsageError: ``order.missing``.
    """
    known = _knowing(places, number)
    orders = [place.journal(number).order for place in known]
    newest = max(orders, key=lambda order: order.position)
    if not newest.final:
        raise CheckFailed("erase.open", order=number, state=str(newest.state))
    kept = timedelta(days=known[0].profile.order.retention_days)
    until = moment(newest.changed) + kept
    if known[0].clock.now() < until:
        raise CheckFailed("erase.early", order=number, until=stamp(until))


def _knowing(places: Sequence[Place], number: str) -> list[Place]:
    known = [p for p in places if p.log.projection(number) is not None]
    if not known:
        raise UsageError("order.missing", order=number)
    return known


def erase_order(places: Sequence[Place], number: str, operator: str) -> list[str]:
    """Remove the sealed account and the back-up from every store at hand; the receipt
    stays, it is proof and shows masks. The SHA-256 of what went.

    Raises: as ``check_erasable``.
    """
    check_erasable(places, number)
    known = _knowing(places, number)
    orders = [place.journal(number).order for place in known]
    gone = sorted({h for o in orders for h in (o.sealed, o.backup) if h})
    for place in known:
        place.log.erase([h for h in gone if not _is_needed(place, number, h)])
        journal = place.journal(number)
        if journal.order.holder is place.holder:
            journal.append("order.erased", {"operator": operator, "boxes": gone})
    return gone


def _is_needed(place: Place, number: str, sha256: str) -> bool:
    """An order that is not over names it too: two back-ups of one terminal are one."""
    others = (order for order in place.open_orders() if order.number != number)
    return any(sha256 in (order.sealed, order.backup) for order in others)
