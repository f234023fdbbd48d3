"""What the field may know of a merchant, signed: the provider's terminal list, and its
type and mandates as the office registered them, its last effective order."""

from __future__ import annotations

from pathlib import Path

from posctl.model.canonical import Json, canonical
from posctl.model.clock import stamp
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.place import Session
from posctl.office.registry import find_merchant
from posctl.providers import Capability
from posctl.store.files import write_private

CALL_SECONDS = 60.0


def fetch_terminals(session: Session, mid: str, output: Path | None) -> Path:
    """Ask the provider, sign, and write; in a solo set-up to where the field looks.

    Raises:
        CheckFailed: ``merchant.no_terminals``.
        Refused, LinkFailed: as the provider's call.
    """
    place = session.place
    tids = _terminals(session, mid)
    body = {
        "mid": mid,
        "tids": sorted(tids),
        "fetched": stamp(place.clock.now()),
        **_registered(session, mid),
        **_effective(session, mid),
    }
    signed = {"body": body, "proof": session.operator.sign("terminal list", body)}
    solo = place.home.settings.mode == "solo"
    folder = place.home.field / "terminals" if solo else Path.cwd()
    path = output or folder / f"{mid}.json"
    write_private(path, canonical(signed))
    listed = ", ".join(sorted(tids)) or "-"
    place.person.tell("merchant.fetched", mid=mid, tids=listed)
    return path


def _terminals(session: Session, mid: str) -> tuple[str, ...]:
    """A provider that knows no terminals knows the merchant: its account is read."""
    provider, deadline = session.provider(), Deadline(CALL_SECONDS)
    if Capability.TERMINALS not in provider.capabilities:
        provider.read_binding(mid, deadline)
        return ()
    tids = provider.terminals(mid, deadline)
    if not tids:
        raise CheckFailed("merchant.no_terminals", mid=mid)
    return tids


def _effective(session: Session, mid: str) -> Json:
    """The merchant's last effective order: another laptop may hold one that it has
    replaced."""
    orders = [o for o in session.place.orders(mid=[mid]) if o.effective_at]
    if not orders:
        return {}
    newest = max(orders, key=lambda order: order.effective_at)
    return {"effective": {"order": newest.number, "since": newest.effective_at}}


def _registered(session: Session, mid: str) -> Json:
    """No name and no number of a person leaves the office with it."""
    merchant = find_merchant(session.place, mid)
    if merchant is None:
        return {}
    told = {"subject": merchant.subject, "mandates": list(merchant.mandates)}
    more = {"papers": merchant.papers, "turnover": merchant.turnover}
    return told | {name: text for name, text in more.items() if text}
