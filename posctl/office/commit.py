"""Commit: apply, sign, poll, read back (the course of ChinaUMS in providers.md).

The commit point is ``sign.intended``: an application that was not signed takes no
effect, but a signature on its way cannot be called back. So the application's number
is durable before the signature, and after the intent the only way is forward.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from posctl.change.effects import Disputed, Effect, Outcome, perform, settle
from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order
from posctl.change.orderfile import SealedDocument
from posctl.change.states import State
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import (
    CheckFailed,
    LinkFailed,
    NotYetEffective,
    OtherChannel,
    Refused,
    StateUnknown,
)
from posctl.office.approve import (
    OpenedAccount,
    check_approval,
    check_valid,
    check_with_provider,
    open_account,
)
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.office.receipt import finish, give_back
from posctl.providers import (
    ApplicationStatus,
    ChangeRequest,
    Picture,
    Progress,
    Provider,
    UploadedPicture,
)
from posctl.store.sealing import binding, unseal

T = TypeVar("T")
_SIGN_SECONDS = 5.0
_UNANSWERED = ("provider.busy",)
"""Refusals that do not say whether it was done: they count as no answer."""


class Commit:
    """One run of the commit of one order. ``wait`` is how many seconds to poll."""

    def __init__(self, session: Session, journal: Journal, wait: float) -> None:
        self.session = session
        self.place = session.place
        self.journal = journal
        self.provider: Provider = session.provider()
        self.wait = wait
        self.effects = {
            "apply": Effect("apply", self._apply, self._probe_apply),
            "sign": Effect("sign", self._sign, self._probe_sign),
        }

    # -- the course ------------------------------------------------------------

    def run(self) -> Order:
        """From APPROVED to EFFECTIVE, from wherever the last run ended."""
        order = self.journal.order
        if order.effect:
            order = settle(self.journal, self.effects[order.effect])
            self.place.person.tell("effect.settled", state=order.state)
        while (step := self._steps().get(self.journal.order.state)) is not None:
            step()
        return self.journal.order

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
        self.request = self._request(account)
        order = perform(
            self.journal,
            self.effects["apply"],
            {"request_seq": self._next_seq(self.journal.order)},
        )
        person.tell("commit.applied", application=order.application)

    def sign(self) -> None:
        """THE COMMIT POINT. Nothing that was checked may have changed by now, unless
        a signature may be on its way already."""
        if not self.journal.order.committed:
            self._check_again()
        self.place.person.waiting("wait.provider")
        application = self.journal.order.application
        perform(self.journal, self.effects["sign"], {"application": application})
        self.place.person.tell("commit.signed", application=application)

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
        status = self._query(self.journal.order)
        if status.progress in _UNDECIDED:
            raise OtherChannel("commit.manual", order=self.journal.number)
        self._report(status)

    def read_back(self) -> None:
        """This provider cannot show the account: the final state is asked once more,
        the terminal must still be the merchant's (R38, R40).

        Raises:
            StateUnknown: ``readback.failed``; the next run reads back again.
        """
        order = self.journal.order
        status = self._query(order)
        tids = self.provider.terminals(order.mid, Deadline(CALL_SECONDS))
        evidence = {
            "raw": status.raw,
            "terminal_listed": order.tid in tids,
            "account_shown": "read_binding" in self.provider.capabilities,
        }
        if status.progress is not Progress.EFFECTIVE or order.tid not in tids:
            self.journal.append("readback.failed", evidence)
            raise StateUnknown("readback.failed", order=order.number, raw=status.raw)
        self.journal.append("readback.done", evidence)
        self.place.person.tell("commit.effective", mask=order.new_mask)

    # -- the two effects -------------------------------------------------------

    def _apply(self, order: Order) -> Json:
        """A number that was used before is no refusal: this store may be older than
        what the provider knows."""
        call = self.provider.apply
        deadline = Deadline(CALL_SECONDS)
        answer = _answered(
            lambda: call(self.request, order.request_seq, deadline),
            also=("provider.duplicate",),
        )
        return {"application": answer}

    def _probe_apply(self, order: Order) -> Outcome:
        """Send the very same request again: taken now, or a duplicate (1002).

        A duplicate is an application whose number was lost. It is not signed, so it
        never takes effect; the next attempt has a new request number.
        """
        self.request = self._request(open_account(self.session, self.journal))
        try:
            return Outcome("done", self._apply(order))
        except Refused as refusal:
            return Outcome("refused", {"reason": refusal.code, **refusal.params})
        except LinkFailed as failure:
            if failure.code == "provider.duplicate":
                return Outcome("void", {"orphan": order.request_seq})
            raise

    def _sign(self, order: Order) -> Json:
        """Neither a yes nor a no is believed: the application is asked (R38, R41)."""
        deadline = Deadline(CALL_SECONDS)
        try:
            _answered(lambda: self.provider.sign(order.application, deadline))
        except Refused as refusal:
            return self._refused_signature(order, refusal)
        if not self._was_signed(order, patience=_SIGN_SECONDS):
            raise LinkFailed("provider.contradicts", raw=order.application)
        return {"application": order.application}

    def _refused_signature(self, order: Order, refusal: Refused) -> Json:
        if self._was_signed(order, patience=0.0):
            return {"application": order.application, "refused": refusal.raw}
        if order.lost_signs:
            raise Disputed(
                refusal.code, namespace=refusal.namespace, raw=refusal.raw
            ) from refusal
        raise refusal

    def _was_signed(self, order: Order, *, patience: float) -> bool:
        """After a signature was sent, no failure to ask means that it was not."""
        try:
            return self._is_signed(order, patience=patience)
        except LinkFailed as failure:
            raise LinkFailed("provider.undecided", raw=failure.code) from failure

    def _probe_sign(self, order: Order) -> Outcome:
        signed = self._is_signed(order, patience=0.0)
        return Outcome("done" if signed else "void", {"asked": order.application})

    def _is_signed(self, order: Order, *, patience: float) -> bool:
        """Raises LinkFailed ``provider.undecided`` for a status that says nothing."""
        deadline = Deadline(patience)
        while True:
            status = self._query(order)
            if status.progress is Progress.UNKNOWN:
                raise LinkFailed("provider.undecided", raw=status.raw)
            if status.progress is not Progress.WAITING_MERCHANT:
                return True
            if deadline.passed:
                return False
            self.place.clock.sleep(self.place.profile.poll_seconds)

    # -- parts -----------------------------------------------------------------

    def _request(self, account: OpenedAccount) -> ChangeRequest:
        """With the pictures uploaded; an upload alone changes nothing."""
        order = self.journal.order
        return ChangeRequest(
            mid=order.mid,
            new=account.new,
            old=account.old,
            branch=order.branch,
            mobile=account.mobile,
            pictures=tuple(self._uploads(order)),
            remark=order.number,
        )

    def _uploads(self, order: Order) -> list[UploadedPicture]:
        """Exactly the profile's documents, each as it was checked and approved."""
        media = {d["kind"]: d["type"] for d in order.documents}
        sealed = self.place.file_of(order.number).documents
        wanted = sorted(d.kind for d in self.place.profile.documents)
        if sorted(item.kind for item in sealed) != wanted or sorted(media) != wanted:
            raise CheckFailed("document.others", order=order.number)
        return [self._upload(order, item, media[item.kind]) for item in sealed]

    def _upload(
        self, order: Order, item: SealedDocument, media_type: str
    ) -> UploadedPicture:
        profile = self.place.profile
        purpose = f"document {item.kind}"
        office_key = profile.in_force.office_key
        info = binding(purpose, order.number, order.field_id, office_key)
        body = unseal(self.session.secrets.seal_key, info, item.box)
        _check_picture(order, item.kind, body)
        label = next(d.label for d in profile.documents if d.kind == item.kind)
        picture = Picture(item.kind, label, media_type)
        return self.provider.upload(picture, body, Deadline(CALL_SECONDS))

    def _next_seq(self, order: Order) -> str:
        """At most 30 characters, unique: order number and attempt."""
        attempt = sum(
            event.kind == "apply.intended"
            for event in self.journal.log.events(order.number)
        )
        return f"{order.number}-{attempt + 1}"

    def _query(self, order: Order) -> ApplicationStatus:
        return self.provider.query(order.application, Deadline(CALL_SECONDS))

    def _ask_once(self) -> Progress:
        """What the provider says now; recorded when it is news."""
        return self._report(self._query(self.journal.order))

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


def _check_picture(order: Order, kind: str, body: bytes) -> None:
    checked = next(d["sha256"] for d in order.documents if d["kind"] == kind)
    if hashlib.sha256(body).hexdigest() != checked:
        raise CheckFailed("document.others", order=order.number)


def _answered(call: Callable[[], T], also: tuple[str, ...] = ()) -> T:
    """A busy answer says nothing of what was done: it counts as no answer (R32)."""
    try:
        return call()
    except Refused as refusal:
        if refusal.code in (*_UNANSWERED, *also):
            raise LinkFailed(refusal.code, raw=refusal.raw) from refusal
        raise


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
        try:
            _run(session, journal, wait)
        finally:
            finish(session, journal)
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
        if order.state is not State.ROLLED_BACK:
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
        status = session.provider().query(order.application, deadline)
        if status.progress is not Progress.WAITING_MERCHANT:
            raise CheckFailed("rollback.too_late", order=order.number, state=status.raw)
        evidence["application_unsigned"] = status.raw
    journal.append("rollback.done", evidence)
