"""What a terminal tells of itself, as far as a twin can be built from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from posctl.field.look import LOOK_SECONDS
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed
from posctl.terminals import BatchTotals, TerminalDriver, TerminalIdentity
from protocols.bindingtag import BindingTag


@dataclass(frozen=True)
class Facts:
    """What the real terminal told: identity, binding, open batch, its clock's lead.

    ``tag`` is None where it shows none, ``has_garbage`` where it shows what is none.
    """

    identity: TerminalIdentity
    tag: BindingTag | None
    totals: BatchTotals
    batch: int
    clock_ahead: timedelta
    has_garbage: bool = False

    @property
    def tid(self) -> str:
        return self.identity.tid or ""

    @property
    def mid(self) -> str:
        return self.identity.mid or ""


def read(driver: TerminalDriver, here: datetime) -> Facts:
    """What the terminal tells of itself; nothing is written to it.

    Args:
        here: the time, in the zone that the twin's clock shows.

    Raises:
        PosctlError: as the driver; but a binding tag that is none is a fact.
    """
    deadline = Deadline(LOOK_SECONDS)
    identity = driver.identify(deadline)
    named = driver.read_variables(("batch", "clock"), deadline)
    totals, (tag, is_garbage) = driver.totals(deadline), _tag(driver, deadline)
    ahead = _clock_ahead(named["clock"], here)
    batch = _batch(named["batch"] or "")
    return Facts(identity, tag, totals, batch, ahead, is_garbage)


def _batch(shown: str) -> int:
    """Its number; the first where the terminal tells none."""
    return int(shown) if shown.isascii() and shown.isdigit() and int(shown) else 1


def _tag(driver: TerminalDriver, deadline: Deadline) -> tuple[BindingTag | None, bool]:
    """The tag, and whether something stands in its place that is none."""
    try:
        return driver.binding_tag(deadline), False
    except LinkFailed as failure:
        if failure.code != "terminal.answer":
            raise
        return None, True


def _clock_ahead(shown: str | None, here: datetime) -> timedelta:
    """Of the twin's, in whole seconds; none where the terminal shows no time."""
    try:
        told = datetime.strptime(shown or "", "%Y%m%d%H%M%S")
    except ValueError:
        return timedelta()
    return told - here.replace(tzinfo=None, microsecond=0)
