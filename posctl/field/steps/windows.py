"""The service window, and a holiday that is near (R8)."""

from __future__ import annotations

from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.clock import stamp


def run(context: Context) -> Json:
    """Raises ClosedNow ``window.closed``."""
    place = context.place
    now, calendar = place.clock.now(), place.profile.calendar()
    calendar.check(now)
    near = calendar.next_holiday(now, place.profile.windows.warn_days)
    if near is not None:
        place.person.tell("windows.holiday", first=near[0], last=near[1])
    return {"checked": stamp(now)}
