"""Settle a terminal's batch, outside any order: asked first, totals shown (R11)."""

from __future__ import annotations

import time
from collections.abc import Callable

from posctl.change.person import Person
from posctl.field.look import LOOK_SECONDS
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, PosctlError, StateUnknown
from posctl.terminals import BatchTotals, NotTaken, Settlement, TerminalDriver

SETTLE_WORD = "SETTLE"
SETTLE_SECONDS = 90.0
SETTLING_SECONDS = 15.0
"""How long a terminal may go on by itself after its line broke."""
_ASK_AGAIN_SECONDS = 1.0


def batch_number(driver: TerminalDriver) -> str:
    """Empty where the terminal cannot tell it."""
    value = driver.read_variables(["batch"], Deadline(LOOK_SECONDS))["batch"]
    return value or ""


def confirm_totals(
    driver: TerminalDriver, ask: Callable[[BatchTotals], object], person: Person
) -> BatchTotals:
    """Ask for the word until the totals stand as they were shown: a sale may come in
    while somebody thinks (R11). Raises what ``ask`` raises."""
    shown = driver.totals(Deadline(LOOK_SECONDS))
    while True:
        ask(shown)
        now = driver.totals(Deadline(LOOK_SECONDS))
        if now == shown:
            return now
        person.tell("settle.moved")
        shown = now


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
        NotTaken: ``terminal.session``: it refused the request itself. (An answer
            that was spoilt, or a session that it ended, may follow a settlement.)
        StateUnknown: ``settle.unknown``: the line broke or the person left it, and
            the batch number has not moved (yet), or cannot be read.
        Refused: ``terminal.refused``.
    """
    before = batch_number(driver)

    def ask(totals: BatchTotals) -> None:
        shown = {"tid": terminal, "count": totals.count, "amount": totals.amount}
        person.confirm("settle.confirm_alone", SETTLE_WORD, **shown)

    confirm_totals(driver, ask, person)
    person.waiting("wait.settle")
    try:
        return driver.settle(Deadline(SETTLE_SECONDS))
    except NotTaken:
        raise
    except LinkFailed as failure:
        driver.close()
        if _has_moved(before, again):
            return None
        raise _unknown(terminal, before, failure) from failure
    except Exception:
        raise
    except BaseException as interrupt:  # on its way already: nothing calls it back
        cause = LinkFailed(type(interrupt).__name__)
        raise _unknown(terminal, before, cause) from interrupt


def _has_moved(before: str, again: Callable[[], TerminalDriver]) -> bool:
    """A settled batch has another number. A terminal that has the request may still be
    at it when the line is back, so it is asked for a while."""
    deadline = Deadline(SETTLING_SECONDS)
    while before:
        now = _asked(again)
        if now and now != before:
            return True
        if deadline.passed:
            break
        time.sleep(_ASK_AGAIN_SECONDS)
    return False


def _asked(again: Callable[[], TerminalDriver]) -> str:
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
