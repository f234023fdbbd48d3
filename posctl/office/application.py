"""A change's application at the provider: the effects of a commit, and asking.

No answer to a signature is believed, neither yes nor no: the application is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from posctl.change.effects import Disputed, Effect, Outcome
from posctl.change.journal import Journal
from posctl.change.order import LOST, Order
from posctl.change.orderfile import SealedDocument
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed, Refused
from posctl.office.account import OpenedAccount, open_account
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.office.registry import find_merchant
from posctl.providers import (
    AccountType,
    ApplicationStatus,
    ChangeRequest,
    Need,
    Picture,
    Progress,
    Provider,
    ReadBinding,
    UploadedPicture,
)
from posctl.store.sealing import binding, unseal
from protocols.sensitive import AccountNumber, consistent

T = TypeVar("T")
SIGN_SECONDS = 5.0
"""How long a signature that was accepted may take to show."""

_UNANSWERED = ("provider.busy",)
"""Refusals that do not say whether it was done: they count as no answer."""

_NOT_TAKEN = ("provider.credentials", "provider.rate", "provider.no_right")
"""Refusals that are no word on the change: nothing was done, a person may try later
(R32)."""

_MAY_BE_OURS = ("provider.duplicate", "provider.application_open")
"""It has one already: perhaps this very one, delivered twice, or by an older store."""


class Application:
    """Of one order. ``effects`` are for the journal; ``amount`` in fen is what the
    merchant says that he got."""

    def __init__(self, session: Session, journal: Journal) -> None:
        self.session = session
        self.place = session.place
        self.journal = journal
        self.provider: Provider = session.provider()
        self.effects = {
            "apply": Effect("apply", self._apply, self._probe_apply),
            "sign": Effect("sign", self._sign, self._probe_sign),
            "payment": Effect("payment", self._request_payment, self._probe_payment),
            "amount": Effect("amount", self._report_amount, self._probe_amount),
        }
        self.amount = 0

    def _apply(self, order: Order) -> Json:
        """A number that was used before, and not by this log, is no refusal: this
        store is older than what the provider knows."""
        try:
            return self._apply_once(order)
        except Refused as refusal:
            if refusal.code in _MAY_BE_OURS:
                raise Disputed(refusal.code, **_said(refusal)) from refusal
            raise

    def _apply_once(self, order: Order) -> Json:
        call = self.provider.apply
        deadline = Deadline(CALL_SECONDS)
        try:
            answer = _answered(lambda: call(self._request, order.request_seq, deadline))
        except Refused as refusal:
            if refusal.code in _NOT_TAKEN:
                raise LinkFailed(
                    refusal.code,
                    sent=False,
                    **_said(refusal),
                ) from refusal
            raise
        if any(o.number != order.number for o in self._orders_with(answer)):
            raise LinkFailed("provider.answer", field="application", sent=True)
        return {"application": answer}

    def _orders_with(self, application: str) -> list[Order]:
        return self.place.orders(application=[application])

    def _probe_apply(self, order: Order) -> Outcome:
        """Send the very same request again: taken now, or a duplicate (1002).

        A duplicate is an application whose number was lost. It is not signed, so it
        never takes effect; the next attempt has a new request number. A provider that
        does not sign is never asked twice: what it shows decides.
        """
        if order.apply_commits:
            return self._probe_by_reading(order)
        self.prepare(open_account(self.session, self.journal))
        try:
            return Outcome("done", self._apply_once(order))
        except Refused as refusal:
            if refusal.code == "provider.duplicate":
                return Outcome("void", {"orphan": order.request_seq})
            return Outcome("refused", {**refusal.params, "reason": refusal.code})

    def _probe_by_reading(self, order: Order) -> Outcome:
        """Raises LinkFailed ``provider.undecided``; past the profile's hours it is a
        person's task: ``disputed``."""
        found = self.read_binding()
        shown = found.pending or found.effective
        ours = bool(shown and consistent(shown, order.new_mask))
        if ours and tells_apart(order) and not was_failed(order, found):
            return Outcome("done", {"application": LOST, "shown": shown})
        hours = self.place.profile.poll.undecided_hours
        since = moment(order.effect_since or order.changed)
        if self.place.clock.now() - since < timedelta(hours=hours):
            raise LinkFailed("provider.undecided", raw=found.verification or "-")
        reason = {"reason": "provider.undecided", "shown": shown or "-"}
        return Outcome("disputed", reason)

    def read_binding(self) -> ReadBinding:
        """What the provider shows of the merchant's account now."""
        mid, deadline = self.journal.order.mid, Deadline(CALL_SECONDS)
        return self.provider.read_binding(mid, deadline)

    def _request_payment(self, order: Order) -> Json:
        """Have the penny drop sent; one that is on its way already will do."""
        account, deadline = self._new_account(), Deadline(CALL_SECONDS)
        try:
            self.provider.request_payment(order.application, account, deadline)
        except Refused as refusal:
            if refusal.code != "provider.penny_early":
                raise
            return {"sent_before": refusal.raw}
        return {}

    def _probe_payment(self, order: Order) -> Outcome:
        """Asking again does no harm: within four hours it is refused as early. Any
        other no says that the application waits for no payment (any more)."""
        try:
            return Outcome("done", _answered(lambda: self._request_payment(order)))
        except Refused as refusal:
            return Outcome("void", {"refused": refusal.raw})

    def _report_amount(self, order: Order) -> Json:
        deadline = Deadline(CALL_SECONDS)
        self.provider.report_payment(
            order.application, self._new_account(), self.amount, deadline
        )
        return {}

    def _probe_amount(self, order: Order) -> Outcome:
        """Accepted: it waits for something else now. Otherwise a try may be spent, and
        the merchant tells the amount once more."""
        status = self.query()
        if status.progress is Progress.UNKNOWN:
            raise LinkFailed("provider.undecided", raw=status.raw)
        waits = status.need is Need.PENNY_DROP
        return Outcome("void" if waits else "done", {"asked": order.application})

    def _new_account(self) -> AccountNumber:
        return open_account(self.session, self.journal).new

    def _sign(self, order: Order) -> Json:
        """Neither a yes nor a no is believed: the application is asked (R38, R41)."""
        deadline = Deadline(CALL_SECONDS)
        try:
            _answered(lambda: self.provider.sign(order.application, deadline))
        except Refused as refusal:
            return self._refused_signature(order, refusal)
        if not self._was_signed(order, patience=SIGN_SECONDS):
            raise LinkFailed("provider.contradicts", raw=order.application)
        return {"application": order.application}

    def _refused_signature(self, order: Order, refusal: Refused) -> Json:
        """An application that is still open there is not REJECTED: it may yet be
        signed by another way."""
        if self._was_signed(order, patience=0.0):
            return {"application": order.application, "refused": refusal.raw}
        raise Disputed(refusal.code, **_said(refusal)) from refusal

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
            status = self.query()
            if status.progress is Progress.UNKNOWN:
                raise LinkFailed("provider.undecided", raw=status.raw)
            if status.progress is not Progress.WAITING_MERCHANT:
                return True
            if deadline.passed:
                return False
            self.place.clock.sleep(self.place.profile.poll.every_seconds)

    def prepare(self, account: OpenedAccount) -> None:
        """Upload the pictures, which alone changes nothing, and make the request."""
        order = self.journal.order
        self._request = ChangeRequest(
            mid=order.mid,
            new=account.new,
            old=account.old,
            branch=order.branch,
            mobile=account.mobile or None,
            pictures=tuple(self._uploads(order)),
            remark=order.number,
            account_type=AccountType(order.account_type),
            holder=account.holder,
            bank=account.bank,
            area=account.area,
        )

    def _uploads(self, order: Order) -> list[UploadedPicture]:
        """Exactly the profile's documents, each as it was checked and approved."""
        media = {d["kind"]: d["type"] for d in order.documents}
        sealed = self.place.file_of(order.number).documents
        merchant = find_merchant(self.place, order.mid)
        subject = merchant.subject if merchant else ""
        rules = self.place.profile.documents_for(order.account_type, subject)
        wanted = sorted(d.kind for d in rules)
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

    def next_seq(self) -> str:
        """At most 30 characters, unique: order number and attempt."""
        attempt = sum(
            event.kind == "apply.intended"
            for event in self.journal.log.events(self.journal.number)
        )
        return f"{self.journal.number}-{attempt + 1}"

    def query(self) -> ApplicationStatus:
        """What became of it, in the provider's words."""
        order, deadline = self.journal.order, Deadline(CALL_SECONDS)
        try:
            return self.provider.query(order.mid, order.application, deadline)
        except Refused as refusal:  # no answer to the question, whatever it was
            raise LinkFailed("provider.no_status", raw=refusal.raw) from refusal


def _check_picture(order: Order, kind: str, body: bytes) -> None:
    checked = next(d["sha256"] for d in order.documents if d["kind"] == kind)
    if hashlib.sha256(body).hexdigest() != checked:
        raise CheckFailed("document.others", order=order.number)


def tells_apart(order: Order) -> bool:
    """Old and new number do not have one mask: what a provider shows says which of
    them it is."""
    old = order.provider_mask or order.old_mask or ""
    return consistent(old, order.new_mask) is None


def was_failed(order: Order, found: ReadBinding) -> bool:
    """The failed account that the provider shows is that of an earlier application: it
    says nothing of this one."""
    return found.failed and bool(order.failed_mask)


def _said(refusal: Refused) -> dict[str, str]:
    """Whose word it was, which, and its text, for an error made of it."""
    text = str(refusal.params.get("text", ""))
    return {"namespace": refusal.namespace, "raw": refusal.raw, "text": text}


def _answered(call: Callable[[], T]) -> T:
    """A busy answer says nothing of what was done: it counts as no answer (R32)."""
    try:
        return call()
    except Refused as refusal:
        if refusal.code in _UNANSWERED:
            raise LinkFailed(refusal.code, **_said(refusal)) from refusal
        raise
