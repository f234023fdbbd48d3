"""Commit: apply, sign, poll, read back.

Where the provider signs, the commit point is ``sign.intended``: an application that was
not signed takes no effect, but a signature on its way cannot be called back. So the
application's number is durable before the signature, and after the intent the only way
is forward. Where it does not, the application itself is the commit point.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

from posctl.change.effects import Disputed, perform, settle
from posctl.change.journal import Journal, exclusive
from posctl.change.order import LOST, Order, order_over
from posctl.change.states import TRANSITIONS, State
from posctl.model.canonical import Json
from posctl.model.clock import moment, stamp
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    CheckFailed,
    ClosedNow,
    NotYetEffective,
    OtherChannel,
    Refused,
    StateUnknown,
)
from posctl.office.account import OpenedAccount, open_account
from posctl.office.application import Application, tells_apart, was_failed
from posctl.office.approve import check_approval, check_valid, cool, valid_until
from posctl.office.each import for_each
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.office.receipt import finish, give_back
from posctl.office.recheck import check_facts, check_notices
from posctl.office.steps import Context, check_again
from posctl.office.steps.identity import check_identity
from posctl.providers import (
    ApplicationStatus,
    Capability,
    Need,
    Progress,
    is_lesser_class,
)
from posctl.store.eventlog import Event
from protocols.sensitive import consistent


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
        if order.effect == "apply" and not order.committed and self._is_late():
            self.journal.append("apply.void", {"given_up": order.request_seq})
        elif order.effect:
            order = settle(self.journal, self.application.effects[order.effect])
            self.place.person.tell("effect.settled", state=order.state)
        while (step := self._steps().get(self.journal.order.state)) is not None:
            step()
        return self.journal.order

    def _is_late(self) -> bool:
        """An application that nobody came back to in time is not sent again."""
        self.place.profile.calendar().check(self.place.clock.now())
        return self.place.clock.now() > valid_until(self.session, self.journal)

    def _steps(self) -> dict[State, Callable[[], None]]:
        return {
            State.COOLING: self.wait_cool,
            State.APPROVED: self.submit,
            State.SUBMITTED: self.sign,
            State.WAITING_MERCHANT: self.wait_merchant,
            State.AUDITING: self.poll,
            State.UNKNOWN: self.poll,
            State.MANUAL: self.ask_by_hand,
            State.READBACK: self.read_back,
        }

    def wait_cool(self) -> None:
        """Raises ClosedNow ``order.cooling`` until it is over (R31)."""
        order, now = self.journal.order, self.place.clock.now()
        check_valid(self.session, self.journal)
        until = order.cooled
        if until is not None and now < until:
            raise ClosedNow("order.cooling", order=order.number, until=stamp(until))
        self.journal.append("order.cooled", {"waited_hours": order.cooling_hours})

    def submit(self) -> None:
        """Preflight again, the pictures, then the application (R11). It is THE COMMIT
        POINT of a provider that does not sign."""
        person, order = self.place.person, self.journal.order
        if order.cooling_hours and not order.was_cooled:
            cool(self.session, self.journal)  # a run died just before it
            return
        account = self._check_again()
        person.waiting("wait.provider")
        self.application.prepare(account)
        commits = not self.application.provider.commits_by_signing
        sequence = self.application.next_seq()
        order = self._perform(
            "apply", {"request_seq": sequence, "apply_commits": commits}
        )
        if commits:
            person.tell("commit.submitted", application=order.application)
        else:
            person.tell("commit.applied", application=order.application)

    def sign(self) -> None:
        """THE COMMIT POINT. Nothing that was checked may have changed by now, unless
        a signature may be on its way already."""
        if self.journal.order.apply_commits:
            return self.poll()
        if not self.journal.order.committed:
            self._check_again()
            if self._waits_for_merchant():
                return None
        self.place.person.waiting("wait.provider")
        number = self.journal.order.application
        self._perform("sign", {"application": number})
        self.place.person.tell("commit.signed", application=number)
        return None

    def _waits_for_merchant(self) -> bool:
        """Before the signature: a penny drop to verify, or he signs himself."""
        if self.application.query().need is Need.PENNY_DROP:
            self._perform("payment", {})
            self.place.person.tell("commit.payment", order=self.journal.number)
            return True
        if "merchant" not in self.place.profile.verification.checkers:
            return False
        link = self.application.provider.sign_link(self.journal.order.application)
        self.journal.append("link.given", {"link_sha256": _sha256(link)})
        return True

    def wait_merchant(self) -> None:
        """His amount, then his signature; posctl can do neither for him.

        Raises:
            NotYetEffective: ``commit.amount``, ``commit.link``, ``commit.pending``.
        """
        order = self.journal.order
        if not order.committed:
            return self._wait_amount()
        if order.lost_signs or not self._is_unsigned():
            return self.poll()
        link = self.application.provider.sign_link(order.application)
        raise NotYetEffective("commit.link", order=order.number, link=link)

    def _is_unsigned(self) -> bool:
        return self.application.query().need is Need.SIGNING

    def _wait_amount(self) -> None:
        status = self.application.query()
        if status.progress is Progress.REJECTED:
            self._report(status)
        if status.need is Need.PENNY_DROP:
            number = self.journal.number
            raise NotYetEffective("commit.amount", order=number)
        waits = status.progress is Progress.WAITING_MERCHANT
        filling = waits and status.need is not Need.SIGNING
        if filling or status.progress is Progress.UNKNOWN:  # says nothing of the amount
            raise self._undecided()
        self.journal.append("merchant.done", {"raw": status.raw})

    def report_amount(self, fen: int) -> None:
        """The amount that the merchant found on his statement.

        Raises:
            CheckFailed: ``amount.not_asked``.
            Refused: ``provider.penny_wrong``; the fifth ends the application.
        """
        check_amount_asked(self.journal.order)
        self.application.amount = fen
        self._perform("amount", {"tried": "once more"})

    def _perform(self, name: str, intent: Json) -> Order:
        try:
            return perform(self.journal, self.application.effects[name], intent)
        except Disputed as dispute:
            raise self._by_hand() from dispute

    def _by_hand(self) -> OtherChannel:
        order = self.journal.order
        known = order.application or order.apply_commits
        code = "commit.manual" if known else "commit.older_store"
        return OtherChannel(code, order=order.number, state=str(order.state))

    def _check_again(self) -> OpenedAccount:
        """Notices, window, validity, approval, account, identity, caps, and what else
        may have changed (R11)."""
        check_notices(self.session)
        self.place.profile.calendar().check(self.place.clock.now())
        check_valid(self.session, self.journal)
        check_approval(self.session, self.journal)
        account = open_account(self.session, self.journal)
        check_identity(self.session, self.journal)
        check_facts(self.session, self.journal)
        check_again(Context(self.session, self.journal, account), "office_caps")
        return account

    def poll(self) -> None:
        """Ask until the provider has decided, or the wait is over.

        Raises:
            NotYetEffective: ``commit.pending``, with the state reached.
            StateUnknown: ``commit.unknown``.
            Refused: ``provider.rejected`` or ``provider.account_class``, with the
                provider's reason.
        """
        person, clock = self.place.person, self.place.clock
        every = self.place.profile.poll.every_seconds
        person.waiting("wait.audit")
        deadline = Deadline(self.wait)
        while self._ask_once() in _UNDECIDED:
            if deadline.passed:
                raise self._undecided()
            clock.sleep(min(every, deadline.remaining()))

    def ask_by_hand(self) -> None:
        """Somebody calls the provider; what it decides then, it reports here.

        Raises:
            OtherChannel: ``commit.manual``, as long as it has decided nothing.
            CheckFailed: ``commit.never_arrived``; the order ends there.
        """
        order = self.journal.order
        if not self._can_ask():
            raise self._by_hand()
        status = self.ask()
        if status.progress in _UNDECIDED:
            if not self._never_arrived(status):
                raise self._by_hand()
            reason = {"raw": status.raw, "reason": "commit.never_arrived"}
            self.journal.append("provider.rejected", reason)
            raise CheckFailed("commit.never_arrived", order=order.number)
        self._report(status)

    def _never_arrived(self, status: ApplicationStatus) -> bool:
        """A request that got no answer, for as long as a proposal is valid; what the
        provider shows now is the old account, and nothing is pending."""
        order, days = self.journal.order, self.place.profile.order.valid_days
        if order.application or status.mask:
            return False
        intended = [e for e in self._events() if e.kind == "apply.intended"]
        age = self.place.clock.now() - moment(intended[-1].time)
        shown = self.application.read_binding().effective
        old = order.old_mask or order.provider_mask
        is_old = bool(shown and consistent(shown, old)) and tells_apart(order)
        return is_old and age > timedelta(days=days)

    def _events(self) -> list[Event]:
        return self.journal.log.events(self.journal.number)

    def _can_ask(self) -> bool:
        """By the application's number, or by what the provider shows."""
        shows = Capability.READ_BINDING in self.application.provider.capabilities
        return bool(self.journal.order.application) or shows

    def read_back(self) -> None:
        """The final state once more, and the account where the provider shows it (R38,
        R40): one that is pending is not effective, whatever the number. A terminal that
        left the merchant meanwhile is told and recorded: the takings go to the new
        account all the same.

        Raises:
            StateUnknown: ``readback.failed``; the next run reads back again.
        """
        order = self.journal.order
        status, shown = self.ask(), self._account_shown()
        if status.progress is Progress.REJECTED:
            self._report(status)
        evidence = {"raw": status.raw, **shown, "terminal_listed": self._is_listed()}
        agrees = shown.get("effective", order.new_mask)
        if status.progress is not Progress.EFFECTIVE or not _same(agrees, order):
            self.journal.append("readback.failed", evidence)
            raise StateUnknown("readback.failed", order=order.number, raw=status.raw)
        if evidence["terminal_listed"] is False:
            self.place.person.tell("commit.not_listed", tid=order.tid, mid=order.mid)
        self.journal.append("readback.done", evidence)
        self.place.person.tell("commit.effective", mask=order.new_mask)
        if to := self.place.profile.order.report:
            self.place.person.tell("commit.report", to=to)

    def _account_shown(self) -> Json:
        if Capability.READ_BINDING not in self.application.provider.capabilities:
            return {"account_shown": False}
        found = self.application.read_binding()
        shown = {"effective": found.effective, "pending": found.pending}
        return {"account_shown": True, **shown}

    def _is_listed(self) -> bool | None:
        """None: the provider knows no terminals."""
        order, provider = self.journal.order, self.application.provider
        if Capability.TERMINALS not in provider.capabilities:
            return None
        return order.tid in provider.terminals(order.mid, Deadline(CALL_SECONDS))

    def ask(self) -> ApplicationStatus:
        """What the provider says of the application; where its number was lost, what it
        shows of the account."""
        order = self.journal.order
        if order.application not in ("", LOST):
            return self.application.query()
        found = self.application.read_binding()
        if not tells_apart(order):
            progress = Progress.UNKNOWN
        elif found.effective and _same(found.effective, order):
            progress = Progress.EFFECTIVE
        elif was_failed(order, found):
            progress = Progress.UNKNOWN
        elif found.pending and _same(found.pending, order):
            progress = Progress.REJECTED if found.failed else Progress.AUDITING
        else:
            progress = Progress.UNKNOWN
        raw = found.verification or "-"
        return ApplicationStatus(raw, progress, "", "", mask=found.pending)

    # -- parts -----------------------------------------------------------------

    def _ask_once(self) -> Progress:
        """What the provider says now; recorded when it is news."""
        return self._report(self.ask())

    def _report(self, status: ApplicationStatus) -> Progress:
        kind, reached = _REPORTED[status.progress]
        if self.journal.order.state is not reached:
            evidence = {"raw": status.raw, "text": status.text}
            if status.reason:
                evidence["reason"] = status.reason
            self.journal.append(kind, evidence)
            self.place.person.tell("commit.status", raw=status.raw, state=reached)
        if status.progress is Progress.REJECTED:
            raise self._rejected(status)
        return status.progress

    def _rejected(self, status: ApplicationStatus) -> Refused:
        lesser = is_lesser_class(status.reason)
        code = "provider.account_class" if lesser else "provider.rejected"
        said = {"raw": status.raw, "reason": status.reason or "-"}
        return Refused(code, namespace=self.place.profile.provider, **said)

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


def _same(shown: str | None, order: Order) -> bool:
    """At least one digit is shown, and none that is shown differs."""
    return bool(shown and consistent(shown, order.new_mask))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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


def check_amount_asked(order: Order) -> None:
    """Raises CheckFailed ``amount.not_asked``."""
    if order.state is not State.WAITING_MERCHANT or order.committed:
        raise CheckFailed("amount.not_asked", order=order.number)


def report_amount(session: Session, number: str, fen: int, wait: float) -> Order:
    """Tell the provider the amount of the penny drop, then go on.

    Raises:
        CheckFailed: ``amount.not_asked``; Refused: ``provider.penny_wrong``.
    """
    place = session.place
    journal = place.journal(number)
    with exclusive(place.log, number):
        Commit(session, journal, wait).report_amount(fen)
    return commit(session, number, wait)


def _run(session: Session, journal: Journal, wait: float) -> None:
    order = journal.order
    if order.state is State.FROZEN:
        raise ClosedNow("order.frozen", order=order.number, since=order.frozen_since)
    if order.holder is session.place.holder and not order.final:
        Commit(session, journal, wait).run()


def act(session: Session, number: str, do: Callable[[Journal], Order]) -> Order:
    """One act on an order that the office holds; an ended one goes back."""
    journal = session.place.journal(number)
    with exclusive(session.place.log, number):
        do(journal)
        finish(session, journal)
        return journal.order


def expire(session: Session) -> list[str]:
    """End every order whose time is over, before its commit point (R34).

    Raises:
        PosctlError: what the first that did not end met, once all had their turn.
    """
    place = session.place

    def end(number: str) -> bool:
        order = place.journal(number).order
        may = order.state in TRANSITIONS["order.expired"] and not order.committed
        undecided = order.effect not in (None, "apply")
        if not may or order.holder is not place.holder or undecided:
            return False
        if place.clock.now() <= valid_until(session, place.journal(number)):
            return False
        act(session, number, lambda journal: _expire(session, journal))
        return True

    return for_each([o.number for o in place.open_orders()], end, place.person)


def _expire(session: Session, journal: Journal) -> Order:
    _check_unsigned(session, journal.order)
    if journal.order.effect == "apply":  # it takes no effect unsigned
        journal.append("apply.void", {"given_up": journal.order.request_seq})
    return journal.append("order.expired", {"reason": "order.expired"})


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
    if order.effect:
        raise CheckFailed("cancel.unsettled", order=order.number, effect=order.effect)
    evidence: Json = {"operator": session.operator.name, "at": "office"}
    evidence |= _check_unsigned(session, order)
    journal.append("rollback.done", evidence)


def _check_unsigned(session: Session, order: Order) -> Json:
    """An older store may not know that its application was signed: the provider does.

    Raises:
        CheckFailed: ``rollback.too_late``; LinkFailed: it could not be asked.
    """
    if not order.application:
        return {}
    deadline = Deadline(CALL_SECONDS)
    status = session.provider().query(order.mid, order.application, deadline)
    if status.progress not in (Progress.WAITING_MERCHANT, Progress.REJECTED):
        raise CheckFailed("rollback.too_late", order=order.number, state=status.raw)
    return {"application_unsigned": status.raw}
