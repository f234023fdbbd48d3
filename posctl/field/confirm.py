"""Confirm at the terminal: does it show the new account (R35)?

The terminal fetches its parameters when its host asks it to, at its next exchange
with the host. Settlement is such an exchange; it is never silent: asked, with the
totals shown.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from posctl.change import orderfile
from posctl.change.effects import Effect, Outcome, perform, settle
from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order
from posctl.change.states import State, Terminal
from posctl.field.look import LOOK_SECONDS, open_driver
from posctl.field.place import FieldPlace, Session
from posctl.field.settle import (
    SETTLE_SECONDS,
    SETTLE_WORD,
    batch_number,
    confirm_totals,
)
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, Declined, NotYetEffective, PosctlError
from posctl.terminals import BatchTotals, TerminalDriver
from protocols.bindingtag import BindingTag

_FETCH_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 0.3


@dataclass(frozen=True)
class Confirmed:
    """The closed order, and how many bytes the serial line carried for it."""

    order: Order
    serial_bytes: int = 0


def confirm(session: Session, number: str, address: str) -> Confirmed:
    """Close the order when the terminal shows the new binding; settle if it must. One
    that a later order has replaced meanwhile is closed as it is: no terminal will ever
    show it.

    Raises:
        NotYetEffective: ``terminal.not_yet``; the order stays open.
        CheckFailed: ``order.not_effective``, another terminal, or one that shows a
            third account.
        StateUnknown: settlement went unanswered.
    """
    place = session.place
    journal = place.journal(number)
    with exclusive(place.log, number):
        if journal.order.state is State.CLOSED:
            _file_away(session, journal)
            return Confirmed(journal.order)
        _check_effective(journal.order)
        traffic, closed = 0, {"operator": session.operator.name}
        if not journal.order.effect and (other := place.replaced_by(journal.order)):
            place.person.tell("confirm.replaced", order=number, other=other)
            closed["replaced_by"] = other
        elif journal.order.terminal is not Terminal.NOT_APPLICABLE:
            traffic = _confirm_at_terminal(place, journal, address)
        order = journal.append("order.closed", closed)
        _file_away(session, journal)
        _tell_others(place, order)
        return Confirmed(order, traffic)


def _tell_others(place: FieldPlace, order: Order) -> None:
    """The merchant's other terminals show the old account until they are settled; no
    order follows them."""
    with suppress(PosctlError):
        others = [t for t in place.terminal_list(order.mid).tids if t != order.tid]
        if others and order.terminal is not Terminal.NOT_APPLICABLE:
            place.person.tell("confirm.others", tids=", ".join(others))


def _confirm_at_terminal(place: FieldPlace, journal: Journal, address: str) -> int:
    """Bytes that it took on the line."""
    driver = open_driver(place, address)
    try:
        _check_identity(journal.order, driver)
        _show_new_binding(place, journal, driver)
        return driver.traffic
    finally:
        driver.close()


def _check_effective(order: Order) -> None:
    if order.state is not State.EFFECTIVE:
        raise CheckFailed(
            "order.not_effective", order=order.number, state=str(order.state)
        )


def _check_identity(order: Order, driver: TerminalDriver) -> None:
    identity = driver.identify(Deadline(LOOK_SECONDS))
    if (identity.tid, identity.serial) != (order.tid, order.serial):
        raise CheckFailed(
            "look.other_terminal",
            order=order.number,
            tid=order.tid,
            serial=order.serial,
            found=identity.tid or "?",
            found_serial=identity.serial,
        )


def _show_new_binding(
    place: FieldPlace, journal: Journal, driver: TerminalDriver
) -> None:
    order = journal.order
    if order.terminal is Terminal.CONFIRMED:
        return
    effect = _settlement(driver)
    if order.effect == effect.name:
        order = settle(journal, effect)
    tag = driver.binding_tag(Deadline(LOOK_SECONDS))
    if not _is_new(order, tag):
        _settle_batch(place, journal, driver, effect)
        tag = _await_new(place, order, driver)
    evidence = {"by": "visit", "tag": tag.to_hex() if tag else None}
    journal.append("terminal.confirmed", evidence)
    place.person.tell("terminal.confirmed", tid=order.tid, mask=order.new_mask)


def _is_new(order: Order, tag: BindingTag | None) -> bool:
    """New number, a later version, the acquirer's MAC (the office sent its hash).

    A third account is a disagreement, not a lag.
    """
    if tag is None or tag.unbound or tag.version == order.old_version:
        return False
    if tag.mask != order.new_mask:
        raise CheckFailed(
            "terminal.third_account", shown=tag.mask, expected=order.new_mask
        )
    if order.expected_tag and tag.fingerprint() != order.expected_tag:
        expected = (
            order.old_version is not None and tag.version == order.old_version + 1
        )
        raise CheckFailed("tag.forged" if expected else "tag.later", tid=order.tid)
    return order.old_version is None or tag.version > order.old_version


def _settle_batch(
    place: FieldPlace, journal: Journal, driver: TerminalDriver, effect: Effect
) -> None:
    order = journal.order

    def ask(totals: BatchTotals) -> None:
        shown = {"tid": order.tid, "count": totals.count, "amount": totals.amount}
        place.person.confirm("settle.confirm", SETTLE_WORD, **shown)

    try:
        totals = confirm_totals(driver, ask, place.person)
    except Declined:
        raise Declined(
            "settle.declined", order=order.number, mask=order.new_mask, tid=order.tid
        ) from None
    place.person.waiting("wait.settle")
    batch = batch_number(driver)
    intent = {"batch": batch, "count": totals.count, "amount": str(totals.amount)}
    perform(journal, effect, intent)
    place.person.tell("settle.done", count=totals.count, amount=totals.amount)


def _settlement(driver: TerminalDriver) -> Effect:
    def do(order: Order) -> Json:
        result = driver.settle(Deadline(SETTLE_SECONDS))
        return {"batch": result.batch, "host_code": result.host_code}

    def probe(order: Order) -> Outcome:
        """A settled batch has another number."""
        batch = batch_number(driver)
        if batch != order.batch:
            return Outcome("done", {"probe": "batch number moved", "batch": batch})
        return Outcome("void", {"probe": "batch number is the same", "batch": batch})

    return Effect("settle", do, probe)


def _await_new(
    place: FieldPlace, order: Order, driver: TerminalDriver
) -> BindingTag | None:
    place.person.waiting("wait.fetch")
    deadline = Deadline(_FETCH_SECONDS)
    while not deadline.passed:
        tag = driver.binding_tag(Deadline(LOOK_SECONDS))
        if _is_new(order, tag):
            return tag
        place.clock.sleep(_ASK_AGAIN_SECONDS)
    raise NotYetEffective("terminal.not_yet", order=order.number, tid=order.tid)


def _file_away(session: Session, journal: Journal) -> None:
    """The closed order goes back to the office, for the record."""
    place = session.place
    if place.home.settings.mode == "solo":
        target = place.home.office / "inbox" / orderfile.file_name(journal.number)
        orderfile.write(target, journal, session.operator, place.clock.now())
