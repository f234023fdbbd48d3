"""A change's application at the provider: the two effects of a commit, and asking.

No answer to a signature is believed, neither yes nor no: the application is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from posctl.change.effects import Disputed, Effect, Outcome
from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.change.orderfile import SealedDocument
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed, Refused
from posctl.office.approve import OpenedAccount, open_account
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
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
SIGN_SECONDS = 5.0
"""How long a signature that was accepted may take to show."""

_UNANSWERED = ("provider.busy",)
"""Refusals that do not say whether it was done: they count as no answer."""


class Application:
    """Of one order. ``effects`` are ``apply`` and ``sign``, for the journal."""

    def __init__(self, session: Session, journal: Journal) -> None:
        self.session = session
        self.place = session.place
        self.journal = journal
        self.provider: Provider = session.provider()
        self.effects = {
            "apply": Effect("apply", self._apply, self._probe_apply),
            "sign": Effect("sign", self._sign, self._probe_sign),
        }

    def _apply(self, order: Order) -> Json:
        """A number that was used before, and not by this log, is no refusal: this
        store is older than what the provider knows."""
        try:
            return self._apply_once(order)
        except Refused as refusal:
            if refusal.code == "provider.duplicate":
                raise Disputed(
                    refusal.code, namespace=refusal.namespace, raw=refusal.raw
                ) from refusal
            raise

    def _apply_once(self, order: Order) -> Json:
        call = self.provider.apply
        deadline = Deadline(CALL_SECONDS)
        try:
            answer = _answered(lambda: call(self._request, order.request_seq, deadline))
        except Refused as refusal:
            if refusal.code == "provider.credentials":  # ours to mend: not taken
                raise LinkFailed(
                    refusal.code,
                    sent=False,
                    namespace=refusal.namespace,
                    raw=refusal.raw,
                    text="",
                ) from refusal
            raise
        return {"application": answer}

    def _probe_apply(self, order: Order) -> Outcome:
        """Send the very same request again: taken now, or a duplicate (1002).

        A duplicate is an application whose number was lost. It is not signed, so it
        never takes effect; the next attempt has a new request number.
        """
        self.prepare(open_account(self.session, self.journal))
        try:
            return Outcome("done", self._apply_once(order))
        except Refused as refusal:
            if refusal.code == "provider.duplicate":
                return Outcome("void", {"orphan": order.request_seq})
            return Outcome("refused", {"reason": refusal.code, **refusal.params})

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
        raise Disputed(
            refusal.code, namespace=refusal.namespace, raw=refusal.raw
        ) from refusal

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
            self.place.clock.sleep(self.place.profile.poll_seconds)

    def prepare(self, account: OpenedAccount) -> None:
        """Upload the pictures, which alone changes nothing, and make the request."""
        order = self.journal.order
        self._request = ChangeRequest(
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


def _answered(call: Callable[[], T]) -> T:
    """A busy answer says nothing of what was done: it counts as no answer (R32)."""
    try:
        return call()
    except Refused as refusal:
        if refusal.code in _UNANSWERED:
            raise LinkFailed(refusal.code, raw=refusal.raw) from refusal
        raise
