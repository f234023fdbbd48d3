"""The terminal's own clock against this machine's (R12)."""

from __future__ import annotations

from datetime import datetime, timedelta

from posctl.field.look import LOOK_SECONDS
from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed

WARNS, REFUSES = timedelta(minutes=5), timedelta(days=1)
UNKNOWN = "unknown"


def run(context: Context) -> Json:
    """Raises CheckFailed ``terminal.clock``: more than a day off."""
    shown = _shown(context)
    if shown is None:
        return {"off_seconds": UNKNOWN}
    place = context.place
    here = place.clock.now().astimezone(place.profile.zone).replace(tzinfo=None)
    off = abs(shown - here)
    if off > REFUSES:
        raise CheckFailed("terminal.clock", shown=f"{shown:%Y-%m-%d %H:%M}")
    if off > WARNS:
        minutes = off // timedelta(minutes=1)
        place.person.tell("terminal.clock_warning", minutes=minutes)
    return {"off_seconds": str(off // timedelta(seconds=1))}


def _shown(context: Context) -> datetime | None:
    """In the provider's time zone, which terminals show; None where it cannot tell."""
    values = context.driver.read_variables(["clock"], Deadline(LOOK_SECONDS))
    try:
        return datetime.strptime(values["clock"] or "", "%Y%m%d%H%M%S")
    except ValueError:
        return None
