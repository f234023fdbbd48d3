"""Settle a terminal's batch, outside any order: asked first, totals shown (R11)."""

from __future__ import annotations

from posctl.change.person import Person
from posctl.field.look import LOOK_SECONDS
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, PosctlError, StateUnknown
from posctl.terminals import Settlement, TerminalDriver

SETTLE_WORD = "SETTLE"
SETTLE_SECONDS = 90.0


def batch_number(driver: TerminalDriver) -> str:
    """Empty where the terminal cannot tell it."""
    value = driver.read_variables(["batch"], Deadline(LOOK_SECONDS))["batch"]
    return value or ""


def settle(person: Person, driver: TerminalDriver, terminal: str) -> Settlement | None:
    """Close the batch, after the word was typed.

    Args:
        terminal: what people call it: its TID, or the port.

    Returns:
        What the terminal said; None when its answer was lost, but its batch number
        has moved: it is settled.

    Raises:
        Declined: ``person.declined``; nothing was sent.
        LinkFailed: it broke, and the batch is still open.
        StateUnknown: ``settle.unknown``: it broke, and the terminal does not say.
        Refused: ``terminal.refused``.
    """
    totals = driver.totals(Deadline(LOOK_SECONDS))
    before = batch_number(driver)
    shown = {"tid": terminal, "count": totals.count, "amount": totals.amount}
    person.confirm("settle.confirm_alone", SETTLE_WORD, **shown)
    person.waiting("wait.settle")
    try:
        return driver.settle(Deadline(SETTLE_SECONDS))
    except LinkFailed as failure:
        if _settled_all_the_same(driver, before, failure, terminal):
            return None
        raise


def _settled_all_the_same(
    driver: TerminalDriver, before: str, failure: LinkFailed, terminal: str
) -> bool:
    """A settled batch has another number."""
    try:
        now = batch_number(driver)
    except PosctlError:
        now = ""
    if not before or not now:
        unknown = StateUnknown(
            "settle.unknown", tid=terminal, batch=before or "?", cause=failure.code
        )
        unknown.frames = failure.frames
        raise unknown from failure
    return now != before
