"""Commit: apply, sign, poll, read back (the course of ChinaUMS in providers.md).

The commit point is ``sign.intended``: an application that was not signed takes no
effect, but a signature on its way cannot be called back. So the application's number
is durable before the signature, and after the intent the only way is forward.
"""

from __future__ import annotations

from collections.abc import Callable

from posctl.change.effects import Disputed, perform, settle
from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order, order_over
from posctl.change.states import State
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    CheckFailed,
    NotYetEffective,
    OtherChannel,
    Refused,
    StateUnknown,
)
from posctl.office.application import Application
from posctl.office.approve import (
    OpenedAccount,
    check_approval,
    check_valid,
    check_with_provider,
    open_account,
    valid_until,
)
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.office.receipt import finish, give_back
from posctl.providers import ApplicationStatus, Capability, Progress


class Commit:
    """One run of the commit of one order. ``wait`` is how many seconds to poll."""

    def __init__(self, session: Session, journal: Journal, wait: float) -> None:
        self.session = session
        self.place = session.place
        self.journal = journal
        self.application = Application(session, journal)
        self.wait = wait

    # -- the course ------------------------------------------------------------

    def run(self) -> Order:
        """From APPROVED to EFFECTIVE, from wherever the last run ended."""
        order = self.journal.order
        if order.effect == "apply" and self._is_late():
            self.journal.append("apply.void", {"given_up": order.request_seq})
        elif order.effect:
            order = settle(self.journal, self.application.effects[order.effect])
            self.place.person.tell("effect.settled", state=order.state)
        while (step := self._steps().get(self.journal.order.state)) is not None:
            step()
        return self.journal.order

    def _is_late(self) -> bool:
        """An application that nobody came back to in time is not sent again."""
        self.place.profile.windows.check(self.place.clock.now())
        return self.place.clock.now() > valid_until(self.session, self.journal)

    def _steps(self) -> dict[State, Callable[[], None]]:
        return {
            State.APPROVED: self.submit,
            State.SUBMITTED: self.sign,
            State.WAITING_MERCHANT: self.poll,
            State.AUDITING: self.poll,
            State.UNKNOWN: self.poll,
            State.MANUAL: self.ask_by_hand,
            State.READBACK: self.read_back,
        }

    def submit(self) -> None:
        """Preflight again, the pictures, then the application (R11)."""
        person = self.place.person
        account = self._check_again()
        person.waiting("wait.provider")
        self.application.prepare(account)
        intent = {"request_seq": self.application.next_seq()}
        order = self._perform("apply", intent)
        person.tell("commit.applied", application=order.application)

    def sign(self) -> None:
        """THE COMMIT POINT. Nothing that was checked may have changed by now, unless
        a signature may be on its way already."""
        if not self.journal.order.committed:
            self._check_again()
        self.place.person.waiting("wait.provider")
        number = self.journal.order.application
        self._perform("sign", {"application": number})
        self.place.person.tell("commit.signed", application=number)

    def _perform(self, name: str, intent: Json) -> Order:
        try:
            return perform(self.journal, self.application.effects[name], intent)
        except Disputed as dispute:
            raise self._by_hand() from dispute

    def _by_hand(self) -> OtherChannel:
        order = self.journal.order
        code = "commit.manual" if order.application else "commit.older_store"
        return OtherChannel(code, order=order.number, state=str(order.state))

    def _check_again(self) -> OpenedAccount:
        """Window, validity, approval, account, identity (R11)."""
        self.place.profile.windows.check(self.place.clock.now())
        check_valid(self.session, self.journal)
        check_approval(self.session, self.journal)
        account = open_account(self.session, self.journal)
        check_with_provider(self.session, self.journal)
        return account

    def poll(self) -> None:
        """Ask until the provider has decided, or the wait is over.

        Raises:
            NotYetEffective: ``commit.pending``, with the state reached.
            StateUnknown: ``commit.unknown``.
            Refused: ``provider.rejected``, with the provider's reason.
        """
        person, clock = self.place.person, self.place.clock
        person.waiting("wait.audit")
        deadline = Deadline(self.wait)
        while self._ask_once() in _UNDECIDED:
            if deadline.passed:
                raise self._undecided()
            clock.sleep(min(self.place.profile.poll_seconds, deadline.remaining()))

    def ask_by_hand(self) -> None:
        """Somebody calls the provider; what it decides then, it reports here.

        Raises:
            OtherChannel: ``commit.manual``, as long as it has decided nothing.
        """
        if not self.journal.order.application:
            raise self._by_hand()
        status = self.application.query()
        if status.progress in _UNDECIDED:
            raise self._by_hand()
        self._report(status)

    def read_back(self) -> None:
        """This provider cannot show the account: the final state is asked once more
        (R38, R40). A terminal that left the merchant meanwhile is told and recorded:
        the takings go to the new account all the same.

        Raises:
            StateUnknown: ``readback.failed``; the next run reads back again.
        """
        order = self.journal.order
        status = self.application.query()
        tids = self.application.provider.terminals(order.mid, Deadline(CALL_SECONDS))
        evidence = {
            "raw": status.raw,
            "terminal_listed": order.tid in tids,
            "account_shown": Capability.READ_BINDING
            in self.application.provider.capabilities,
        }
        if status.progress is Progress.REJECTED:
            self._report(status)
        if status.progress is not Progress.EFFECTIVE:
            self.journal.append("readback.failed", evidence)
            raise StateUnknown("readback.failed", order=order.number, raw=status.raw)
        if order.tid not in tids:
            self.place.person.tell("commit.not_listed", tid=order.tid, mid=order.mid)
        self.journal.append("readback.done", evidence)
        self.place.person.tell("commit.effective", mask=order.new_mask)

    # -- parts -----------------------------------------------------------------

    def _ask_once(self) -> Progress:
        """What the provider says now; recorded when it is news."""
        return self._report(self.application.query())

    def _report(self, status: ApplicationStatus) -> Progress:
        kind, reached = _REPORTED[status.progress]
        if self.journal.order.state is not reached:
            evidence = {"raw": status.raw, "text": status.text}
            if status.reason:
                evidence["reason"] = status.reason
            self.journal.append(kind, evidence)
            self.place.person.tell("commit.status", raw=status.raw, state=reached)
        if status.progress is Progress.REJECTED:
            raise Refused(
                "provider.rejected",
                namespace=self.place.profile.provider,
                raw=status.raw,
                reason=status.reason or "-",
            )
        return status.progress

    def _undecided(self) -> NotYetEffective | StateUnknown:
        order = self.journal.order
        if order.state is State.UNKNOWN:
            return StateUnknown("commit.unknown", order=order.number)
        return NotYetEffective(
            "commit.pending", order=order.number, state=str(order.state)
        )


_REPORTED: dict[Progress, tuple[str, State]] = {
    Progress.WAITING_MERCHANT: ("provider.waiting", State.WAITING_MERCHANT),
    Progress.AUDITING: ("provider.auditing", State.AUDITING),
    Progress.EFFECTIVE: ("provider.effective", State.READBACK),
    Progress.REJECTED: ("provider.rejected", State.REJECTED),
    Progress.UNKNOWN: ("provider.unknown", State.UNKNOWN),
}
_UNDECIDED = (Progress.WAITING_MERCHANT, Progress.AUDITING, Progress.UNKNOWN)


def commit(session: Session, number: str, wait: float) -> Order:
    """Bring an approved order to its end. Three times gives one effect (R39).

    Raises:
        CheckFailed: ``order.not_approved``, ``order.expired``, ``look.mismatch`` …
        Refused: the provider said no; the old account stays.
        NotYetEffective, StateUnknown, LinkFailed: run it again.
    """
    place = session.place
    journal = place.journal(number)
    with exclusive(place.log, number):
        if journal.order.state is State.PROPOSED:
            raise CheckFailed("order.not_approved", order=number)
        over = journal.order.final
        try:
            _run(session, journal, wait)
        finally:
            finish(session, journal)
        if over and journal.order.state is not State.CLOSED:
            raise order_over(journal.order)
        return journal.order


def _run(session: Session, journal: Journal, wait: float) -> None:
    order = journal.order
    if order.holder is session.place.holder and not order.final:
        Commit(session, journal, wait).run()


def roll_back(session: Session, number: str) -> Order:
    """End an order before its commit point; an unsigned application is harmless.

    Raises:
        CheckFailed: ``rollback.too_late``; ``order.not_held``.
        LinkFailed: the provider could not be asked whether it was signed.
    """
    place = session.place
    journal = place.journal(number)
    with exclusive(place.log, number):
        order = journal.order
        if order.final and order.state is not State.ROLLED_BACK:
            raise order_over(order)
        if not order.final:
            _undo(session, journal)
        give_back(session, journal)
        return journal.order


def _undo(session: Session, journal: Journal) -> None:
    order = journal.order
    if not order.may_roll_back:
        raise CheckFailed("rollback.too_late", order=order.number, state=order.state)
    if order.effect == "apply":
        order = journal.append("apply.void", {"given_up": order.request_seq})
    evidence: Json = {"operator": session.operator.name, "at": "office"}
    if order.application:
        deadline = Deadline(CALL_SECONDS)
        status = session.provider().query(order.mid, order.application, deadline)
        if status.progress is not Progress.WAITING_MERCHANT:
            raise CheckFailed("rollback.too_late", order=order.number, state=status.raw)
        evidence["application_unsigned"] = status.raw
    journal.append("rollback.done", evidence)
