"""What field and office have in common: a store, a profile, a clock, a person."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from posctl.change import orderfile
from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order, fold
from posctl.change.person import Person
from posctl.change.states import FINAL, Holder, State
from posctl.model.clock import Clock
from posctl.model.errors import CheckFailed
from posctl.model.profile import Profile
from posctl.store.eventlog import EventLog
from posctl.store.files import remove
from posctl.store.home import Home
from posctl.store.keys import Trust

_NOT_FINAL = [str(state) for state in State if state not in FINAL]
INBOX_SECONDS = 10.0
"""How long another process may take with the same inbox."""


_NEVER = "9999"
"""After every time."""
UNKNOWN_TID = "unknown"


class Place:
    """One of the two places. ``folder`` is its part of the set-up."""

    holder: ClassVar[Holder]
    vouches: ClassVar[str]
    """The event that names the profile in force here."""

    def __init__(self, home: Home, clock: Clock, person: Person) -> None:
        self.home = home
        self.clock = clock
        self.person = person
        self.folder = home.path / str(self.holder)
        self.log = EventLog(self.folder / "log.db", fold, clock)

    @cached_property
    def profile(self) -> Profile:
        """The one in force, never older than one that was in force here when an order
        was opened or received (what an order file says of itself counts for nothing).

        Raises:
            CheckFailed: ``profile.downgraded``, ``profile.signature``.
        """
        found = self.home.profile(self.clock.now())
        newest = self.log.newest_profile(found.name, self.vouches, str(self.holder))
        if found.version < newest:
            raise CheckFailed(
                "profile.downgraded", name=found.name, now=found.version, known=newest
            )
        return found

    @cached_property
    def trust(self) -> Trust:
        """Whose signatures count, by a list no older than the last approval's.

        Raises:
            CheckFailed: ``revocations.old``, ``revocations.signature``.
        """
        found, newest = self.home.trust, self.log.newest_revocations()
        if found.number < newest:
            raise CheckFailed("revocations.old", now=found.number, known=newest)
        return found

    def journal(self, number: str) -> Journal:
        return Journal(self.log, self.holder, number)

    def orders(self, **which: Any) -> list[Order]:
        """Oldest first; which ones: see ``EventLog.projections``."""
        return [Order.from_json(p) for p in self.log.projections(**which)]

    def open_orders(self) -> list[Order]:
        """Those that are not over."""
        return self.orders(state=_NOT_FINAL)

    def orders_at(self, mid: str, tid: str) -> list[Order]:
        """Those of a merchant or of a terminal. A terminal that cannot tell its number
        is not the same as another that cannot."""
        found = {o.number: o for o in self.orders(mid=[mid, ""])}
        if tid != UNKNOWN_TID:
            found |= {o.number: o for o in self.orders(tid=[tid])}
        return list(found.values())

    def replaced_by(self, order: Order) -> str:
        """The merchant's newest order that became effective after this one, as far as
        it is known here; or ``""``."""
        later = self.orders(mid=[order.mid], since=order.effective_at or _NEVER)
        after = [o for o in later if o.effective_at > order.effective_at]
        return max(after, key=lambda o: o.effective_at).number if after else ""

    def take(self, path: Path) -> Order:
        """Take an order over from the other place. Doing it twice is harmless.

        Raises:
            CheckFailed: what this place does not accept.
            LinkFailed: ``order.busy``: another process is at it.
        """
        with exclusive(self.log, "inbox", wait=INBOX_SECONDS):
            return self._take(path)

    def _take(self, path: Path) -> Order:
        raise NotImplementedError

    def collect(self) -> None:
        """Take in the order files that arrived; one that is wrong is left there."""
        inbox = self.folder / "inbox"
        for path in sorted(inbox.glob(f"*{orderfile.SUFFIX}")):
            try:
                self.take(path)
                remove(path)
            except CheckFailed as failure:
                self.person.tell("inbox.refused", path=path, failure=failure)
