"""Survey: everything that would stop the change of this terminal's account now.

A run ends at the first check that does not pass. Here each is made by itself, so that
a technician hears of all that is missing at once. It is made on a copy of the field's
store that is thrown away: an order is opened there for the checks to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from posctl.change.journal import Journal
from posctl.field.course import Means, new_journal, open_order
from posctl.field.look import Look, look
from posctl.field.place import Session, TerminalList
from posctl.field.steps import Context, run_step
from posctl.field.steps.notices import tell
from posctl.model.clock import stamp
from posctl.model.errors import Declined, PosctlError
from posctl.model.steps import Stage, steps_of
from posctl.terminals import TerminalDriver, TerminalIdentity

T = TypeVar("T")


class Survey:
    """What was found: ``failures`` in the order of the checks, none twice."""

    def __init__(self, session: Session, means: Means, driver: TerminalDriver) -> None:
        self.failures: list[PosctlError] = []
        self._session = session
        self._means = means
        self._driver = driver

    def make(self, identity: TerminalIdentity) -> list[PosctlError]:
        """Every check of look and preflight. The terminal is only read.

        Args:
            identity: as it was read; its merchant is known.
        """
        place, means = self._session.place, self._means
        self.attempt(lambda: tell(place.profile, place.clock, place.person))
        self.attempt(lambda: place.profile.calendar().check(place.clock.now()))
        found = self.attempt(lambda: look(place, self._driver, merchant=means.merchant))
        journal = self._journal(found or self._unlisted(identity))
        context = Context(place, journal, self._driver, means.pictures, means.agent)
        for name in steps_of(Stage.PREFLIGHT, place.profile.verification.steps):
            self._step(context, name)
        return self.failures

    def attempt(self, check: Callable[[], T]) -> T | None:
        """What it gives; None, and its failure kept, where it fails."""
        try:
            return check()
        except PosctlError as failure:
            if failure.code not in {known.code for known in self.failures}:
                self.failures.append(failure)
            return None

    def _step(self, context: Context, name: str) -> None:
        """What a person would have to answer first fails nothing."""

        def run() -> object:
            try:
                return run_step(context, name)
            except Declined:
                return None

        self.attempt(run)

    def _journal(self, found: Look) -> Journal:
        journal = self.attempt(lambda: open_order(self._session, found, self._means))
        if journal is None:
            journal = new_journal(self._session, self._means)
            journal.append("look.done", found.evidence())
        return journal

    def _unlisted(self, identity: TerminalIdentity) -> Look:
        """As if the terminal were listed: that it is not has been noted."""
        now = stamp(self._session.place.clock.now())
        listed = TerminalList(identity.mid or "", (identity.tid or "",), now, "-")
        return Look(identity, None, listed)
