"""What the provider made known, before anything else (R8)."""

from __future__ import annotations

from posctl.change.person import Person
from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.clock import Clock
from posctl.model.errors import ClosedNow
from posctl.model.profile import Profile


def run(context: Context) -> Json:
    """Told again when an order is resumed."""
    place = context.place
    return {"shown": tell(place.profile, place.clock, place.person)}


def tell(profile: Profile, clock: Clock, person: Person) -> list[str]:
    """The ids of those in force. Raises ClosedNow ``notice.stops``."""
    found = profile.notices_at(clock.now())
    for notice in found:
        person.tell("notice.shown", text=notice.text, ends=f"{notice.ends:%Y-%m-%d}")
    for notice in found:
        if notice.stops:
            ends = f"{notice.ends:%Y-%m-%d %H:%M}"
            raise ClosedNow("notice.stops", notice=notice.id, ends=ends)
    return [notice.id for notice in found]
