"""Settle a terminal's batch, outside any order: asked first, totals shown (R11)."""

from __future__ import annotations

from collections.abc import Callable

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


def settle(
    person: Person,
    driver: TerminalDriver,
    terminal: str,
    again: Callable[[], TerminalDriver],
) -> Settlement | None:
    """Close the batch, after the word was typed.

    Args:
        terminal: what people call it: its TID, or the port.
        again: opens another line to it, when this one broke.

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
        driver.close()
        now = _asked_again(again)
        if before and now and now != before:
            return None
        if not before or not now:
            raise _unknown(terminal, before, failure) from failure
        raise


def _asked_again(again: Callable[[], TerminalDriver]) -> str:
    """A settled batch has another number."""
    try:
        driver = again()
    except PosctlError:
        return ""
    try:
        return batch_number(driver)
    except PosctlError:
        return ""
    finally:
        driver.close()


def _unknown(terminal: str, before: str, failure: LinkFailed) -> StateUnknown:
    unknown = StateUnknown(
        "settle.unknown", tid=terminal, batch=before or "?", cause=failure.code
    )
    unknown.frames = failure.frames
    return unknown
