"""The field's course: look, preflight, back up, account, propose, hand over.

Each step looks at the order's state and does nothing when it is done already, so the
course of a run that died is continued by running it again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from posctl.cards import bins
from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order, order_over, profile_of
from posctl.change.states import Holder, State
from posctl.field.account import (
    NewAccount,
    read_chip,
    take_account,
    type_card,
    type_corporate,
)
from posctl.field.advice import ReceivingLimit
from posctl.field.backup import back_up
from posctl.field.look import IdentityMismatch, Look, look, open_driver
from posctl.field.pictures import known_means
from posctl.field.place import FieldPlace, Session
from posctl.field.propose import hand_over, propose
from posctl.field.steps import Context, run_stage
from posctl.field.steps.notices import tell as tell_notices
from posctl.model.canonical import Json
from posctl.model.errors import (
    CheckFailed,
    ClosedNow,
    OtherChannel,
    PosctlError,
    note,
)
from posctl.model.profile import Profile
from posctl.model.steps import Stage
from posctl.store.files import write_json
from posctl.terminals import TerminalDriver

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that look alike


@dataclass(frozen=True)
class Means:
    """What the technician works with: ports, reader, folder of pictures.

    ``card_wait`` is how many seconds a card may take to be inserted; ``merchant``
    whose terminal it must be, if the technician said so; ``agent`` who acts for it;
    ``bin_table`` tells a typed card's kind; ``limit`` what the new account may receive.
    A resumed order takes from the first run
    what is not given again.
    """

    address: str
    reader: str | None = None
    typed: bool = False
    pictures: Path | None = None
    card_wait: float = 20.0
    output: Path | None = None
    merchant: str | None = None
    corporate: bool = False
    agent: str | None = None
    bin_table: Path | None = None
    limit: ReceivingLimit | None = None

    def to_json(self) -> Json:
        pictures = str(self.pictures.resolve()) if self.pictures else None
        return {
            "reader": self.reader,
            "typed": self.typed,
            "pictures": pictures,
            "merchant": self.merchant,
            "agent": self.agent,
            "bin_table": str(self.bin_table.resolve()) if self.bin_table else None,
            "limit": str(self.limit) if self.limit else None,
        }

    def filled(self, remembered: Json) -> Means:
        pictures, table = remembered.get("pictures"), remembered.get("bin_table")
        limit = remembered.get("limit")
        return replace(
            self,
            reader=self.reader or remembered.get("reader"),
            typed=self.typed or bool(remembered.get("typed")),
            pictures=self.pictures or (Path(pictures) if pictures else None),
            merchant=self.merchant or remembered.get("merchant"),
            agent=self.agent or remembered.get("agent"),
            bin_table=self.bin_table or (Path(table) if table else None),
            limit=self.limit or (ReceivingLimit.parse(limit) if limit else None),
        )


@dataclass(frozen=True)
class Proposed:
    """The order as it left, the file it left in, what it was made with (also what a
    first run was given), bytes on the serial line."""

    order: Order
    file: Path
    means: Means
    serial_bytes: int = 0


def run(
    session: Session, means: Means, looked: Callable[[Look], None] = lambda _look: None
) -> Proposed:
    """A new order from the first look to the order file.

    Args:
        looked: told when the terminal has been recognised, before any question.

    Raises:
        PosctlError: of every kind; what was reached by then is in the event log.
    """
    place = session.place
    check_channel(place.profile)
    check_agent(place.profile, means.agent)
    tell_notices(place.profile, place.clock, place.person)
    place.profile.calendar().check(place.clock.now())
    driver = open_driver(place, means.address, merchant=means.merchant)
    try:
        found = _look(session, driver, means)
        looked(found)
        journal = open_order(session, found, means)
        proposed = _continue(session, journal, driver, means)
        return replace(proposed, serial_bytes=driver.traffic)
    finally:
        driver.close()


def check_channel(profile: Profile) -> None:
    """Raises OtherChannel ``channel.other`` with the right one (R6)."""
    if "device" not in profile.channels:
        menu = profile.menus.get("change", "-")
        contact = next(iter(profile.contacts.values()), "-")
        channels = ", ".join(profile.channels)
        raise OtherChannel(
            "channel.other",
            provider=profile.provider,
            channels=channels,
            menu=menu,
            contact=contact,
        )


def check_agent(profile: Profile, agent: str | None) -> None:
    """Nobody acts for a merchant where no step looks at his mandate (R15).

    Raises:
        CheckFailed: ``mandate.no_step``.
    """
    if agent is not None and "mandate" not in profile.verification.steps:
        raise CheckFailed("mandate.no_step", agent=agent, profile=profile.name)


def resume(session: Session, number: str, means: Means) -> Proposed:
    """Go on where a run ended, after a new look at the terminal."""
    place = session.place
    check_agent(place.profile, means.agent)
    journal = place.journal(number)
    _check_open(journal.order)
    _check_own(session, journal.order)
    means = _means_of(place, journal, means)
    if journal.order.state is State.PROPOSED:
        return _leave(session, journal, means)
    tell_notices(place.profile, place.clock, place.person)
    place.profile.calendar().check(place.clock.now())
    driver = open_driver(place, means.address, merchant=means.merchant)
    try:
        found = look(place, driver, merchant=means.merchant)
        _same_terminal(journal.order, found)
        proposed = _continue(session, journal, driver, means)
        return replace(proposed, serial_bytes=driver.traffic)
    finally:
        driver.close()


def _means_of(place: FieldPlace, journal: Journal, given: Means) -> Means:
    """With those of the first run. Who acts was looked at there, once.

    Raises:
        CheckFailed: ``mandate.too_late``.
    """
    known = known_means(place, journal.number)
    begun = journal.order.state is not State.DRAFT
    if given.agent is not None and begun and given.agent != known.get("agent"):
        raise CheckFailed("mandate.too_late", order=journal.number, agent=given.agent)
    return given.filled(known)


def _check_open(order: Order) -> None:
    """Raises CheckFailed ``order.over``, ``order.effective``."""
    if order.final:
        raise order_over(order)
    if order.state is State.EFFECTIVE:
        raise CheckFailed("order.effective", order=order.number)


def _check_own(session: Session, order: Order) -> None:
    """The office takes an order from the technician who made it, under the profile that
    it was made with, and from nobody else.

    Raises:
        CheckFailed: ``order.colleague``, ``profile.differs``.
        ClosedNow: ``order.frozen``.
    """
    profile = session.place.profile
    if order.operator != session.operator.name:
        raise CheckFailed("order.colleague", order=order.number, name=order.operator)
    if profile_of(order) != (profile.name, profile.version, profile.sha256):
        raise CheckFailed("profile.differs", order=order.number)
    if order.state is State.FROZEN:
        raise ClosedNow("order.frozen", order=order.number, since=order.frozen_since)


def _look(session: Session, driver: TerminalDriver, means: Means) -> Look:
    """A mismatch is recorded as an order that ended before it began."""
    place = session.place
    place.person.waiting("wait.terminal", port=means.address)
    try:
        found = look(place, driver, merchant=means.merchant)
    except IdentityMismatch as mismatch:
        evidence = {**mismatch.params, "reason": mismatch.code}
        new_journal(session, means).append("look.refused", evidence)
        raise
    place.person.tell(
        "look.done",
        tid=found.tid,
        mid=found.mid,
        serial=found.identity.serial or "?",
        mask=(found.tag.mask or "-") if found.tag else "?",
    )
    return found


def open_order(session: Session, found: Look, means: Means) -> Journal:
    """Raises CheckFailed ``order.open``, ``order.at_office``, ``order.unconfirmed``;
    OtherChannel ``look.unbound``: there is nothing to change yet (R16)."""
    place = session.place
    if found.tag is not None and found.tag.unbound:
        raise OtherChannel("look.unbound", tid=found.tid, mid=found.mid)
    for other in place.orders_at(found.mid, found.tid):
        if other.blocks:
            code = "order.open" if other.holder is place.holder else "order.at_office"
            raise CheckFailed(
                code, order=other.number, state=str(other.state), since=other.changed
            )
        if other.mid == found.mid and _lags(other, found):
            raise CheckFailed("order.unconfirmed", order=other.number)
    journal = new_journal(session, means)
    with _naming(journal):
        write_json(place.means_file(journal.number), means.to_json())
        journal.append("look.done", found.evidence())
    return journal


def _lags(other: Order, found: Look) -> bool:
    """The terminal still shows what an effective order has replaced already."""
    if other.state is not State.EFFECTIVE or found.tag is None:
        return False
    shown = (found.tag.mask, found.tag.version)
    return shown == (other.old_mask, other.old_version)


def new_journal(session: Session, means: Means) -> Journal:
    """An order that was opened, before its first look."""
    place, profile = session.place, session.place.profile
    with exclusive(place.log, "new order"):
        field_id = place.home.settings.field_id
        journal = place.journal(_new_number(place, field_id))
        opened: Json = {
            "operator": session.operator.name,
            "profile": profile.name,
            "profile_version": profile.version,
            "profile_sha256": profile.sha256,
            "confirm": profile.terminal.confirm,
            "field_id": field_id,
            "address": means.address,
            "steps": list(profile.verification.steps),
            "account_type": "corporate" if means.corporate else "card",
        }
        journal.append("order.opened", opened)
    return journal


def _new_number(place: FieldPlace, field_id: str) -> str:
    """By chance, not counted: a store from a back-up must not use a number twice."""
    while True:
        number = f"{field_id}-{''.join(secrets.choice(LETTERS) for _n in range(5))}"
        if place.log.projection(number) is None:
            return number


def _same_terminal(order: Order, found: Look) -> None:
    """Between two runs neither the terminal nor its binding may have moved (R3)."""
    now = (found.mid, found.tid, found.identity.serial)
    if order.mid and now != (order.mid, order.tid, order.serial):
        raise CheckFailed(
            "look.other_terminal",
            order=order.number,
            tid=order.tid,
            serial=order.serial,
            found=found.tid,
            found_serial=found.identity.serial,
        )
    tag = (found.tag.mask, found.tag.version) if found.tag else (None, None)
    if order.mid and tag != (order.old_mask, order.old_version):
        raise CheckFailed("binding.moved", order=order.number)


def _continue(
    session: Session, journal: Journal, driver: TerminalDriver, means: Means
) -> Proposed:
    with _naming(journal), exclusive(session.place.log, journal.number):
        while (step := _STEPS.get(_stage(journal.order))) is not None:
            step(session.place, journal, driver, means)
        return _leave(session, journal, means)


@contextmanager
def _naming(journal: Journal) -> Iterator[None]:
    """What goes wrong from here on names the order, which is left as it is."""
    try:
        yield
    except PosctlError as failure:
        if not journal.order.final:
            failure.params.setdefault("resume", journal.number)
        raise
    except BaseException as interrupt:
        note(interrupt, "order", journal.number)
        raise


def _stage(order: Order) -> str:
    """Which step is next; BACKED_UP needs an account before it can be proposed."""
    if order.state is State.BACKED_UP and order.sealed:
        return "ready"
    return "looked" if order.state is State.DRAFT and order.mid else str(order.state)


Step = Callable[[FieldPlace, Journal, TerminalDriver, Means], object]


def _look_step(
    place: FieldPlace, journal: Journal, driver: TerminalDriver, means: Means
) -> None:
    found = look(place, driver, merchant=means.merchant)
    journal.append("look.done", found.evidence())


def _preflight_step(
    place: FieldPlace, journal: Journal, driver: TerminalDriver, means: Means
) -> None:
    context = Context(place, journal, driver, means.pictures, means.agent)
    evidence = run_stage(context, Stage.PREFLIGHT)
    documents = evidence.get("documents", {}).get("documents", [])
    fee = str(place.profile.fees.total)
    journal.append(
        "preflight.passed", {"steps": evidence, "documents": documents, "fee": fee}
    )
    place.person.tell("preflight.done", documents=len(documents))


def _backup_step(
    place: FieldPlace, journal: Journal, driver: TerminalDriver, means: Means
) -> None:
    order = back_up(place, journal, driver)
    place.person.tell("backup.done", sha256=order.backup[:16])


def _account_step(
    place: FieldPlace, journal: Journal, driver: TerminalDriver, means: Means
) -> None:
    def read() -> NewAccount:
        if journal.order.account_type == "corporate":
            return type_corporate(place.person)
        table = means.bin_table
        known = bins.load(table) if table else bins.test_cards()
        if means.typed or place.profile.not_used.card:
            return type_card(place.person, known)
        return read_chip(place, means.reader, means.card_wait, known)

    order = take_account(place, journal, read)
    place.person.tell("account.sealed", number=order.new_mask)


def _propose_step(
    place: FieldPlace, journal: Journal, driver: TerminalDriver, means: Means
) -> None:
    context = Context(place, journal, driver, means.pictures, means.agent)
    propose(place, journal, run_stage(context, Stage.ACCOUNT), means.limit)


_STEPS: dict[str, Step] = {
    "DRAFT": _look_step,
    "looked": _preflight_step,
    "PRECHECKED": _backup_step,
    "BACKED_UP": _account_step,
    "ready": _propose_step,
}


def _leave(session: Session, journal: Journal, means: Means) -> Proposed:
    order = journal.order
    if order.state is not State.PROPOSED:
        raise CheckFailed(
            "order.transition",
            order=order.number,
            state=str(order.state),
            effect="-",
            kind="order.sent",
        )
    file = hand_over(session, journal, means.output)
    return Proposed(journal.order, file, means)


def act(session: Session, number: str, do: Callable[[Journal], Order]) -> Order:
    """One act on an order that the field holds; an ended one leaves no files."""
    journal = session.place.journal(number)
    with exclusive(session.place.log, number):
        order = do(journal)
        if order.final:
            session.place.tidy(number)
        return order


def roll_back(session: Session, number: str) -> Order:
    """End an order that the field holds: nothing has left this machine.

    Raises:
        CheckFailed: ``rollback.too_late``, ``order.not_held``.
    """
    journal = session.place.journal(number)
    with exclusive(session.place.log, number):
        order = journal.order
        if order.state is State.ROLLED_BACK:
            return order
        if order.final:
            raise order_over(order)
        if order.holder is Holder.FIELD and not order.may_roll_back:
            raise CheckFailed("rollback.too_late", order=number, state=str(order.state))
        ended = {"operator": session.operator.name, "at": "field"}
        order = journal.append("rollback.done", ended)
        session.place.tidy(number)  # not before: a run that died here may be resumed
        return order
