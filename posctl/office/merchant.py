"""The provider's terminal list of a merchant, signed for the field."""

from __future__ import annotations

from pathlib import Path

from posctl.model.canonical import canonical
from posctl.model.clock import stamp
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.place import Session
from posctl.store.files import write_private

CALL_SECONDS = 60.0


def fetch_terminals(session: Session, mid: str, output: Path | None) -> Path:
    """Ask the provider, sign, and write; in a solo set-up to where the field looks.

    Raises:
        CheckFailed: ``merchant.no_terminals``.
        Refused, LinkFailed: as the provider's call.
    """
    place = session.place
    tids = session.provider().terminals(mid, Deadline(CALL_SECONDS))
    if not tids:
        raise CheckFailed("merchant.no_terminals", mid=mid)
    body = {"mid": mid, "tids": sorted(tids), "fetched": stamp(place.clock.now())}
    signed = {"body": body, "proof": session.operator.sign("terminal list", body)}
    solo = place.home.settings.mode == "solo"
    folder = place.home.field / "terminals" if solo else Path.cwd()
    path = output or folder / f"{mid}.json"
    write_private(path, canonical(signed))
    place.person.tell("merchant.fetched", mid=mid, tids=", ".join(sorted(tids)))
    return path
