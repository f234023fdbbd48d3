"""The terminal's own clock against this machine's (R12)."""

from __future__ import annotations

from datetime import datetime, timedelta

from posctl.field.look import LOOK_SECONDS
from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed

UNKNOWN = "unknown"


def run(context: Context) -> Json:
    """Raises CheckFailed ``terminal.clock``: further off than the profile allows."""
    place, shown = context.place, _shown(context)
    rules = place.profile.terminal.clock
    if shown is None or rules is None:
        return {"off_seconds": UNKNOWN}
    here = place.clock.now().astimezone(place.profile.zone).replace(tzinfo=None)
    off = abs(shown - here)
    if off > timedelta(minutes=rules.refuses):
        told = f"{shown:%Y-%m-%d %H:%M}"
        raise CheckFailed("terminal.clock", shown=told, limit=rules.refuses)
    if off > timedelta(minutes=rules.warns):
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
