"""Approve: another person looks at what was proposed and signs its digest (R30)."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from stdnum import luhn

from posctl.change.journal import Journal, exclusive, last_payload
from posctl.change.order import Order, approval_digest, order_over
from posctl.change.states import State
from posctl.model.canonical import Json
from posctl.model.clock import moment, stamp
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.office.receipt import finish
from posctl.office.tags import check_tag
from posctl.store.keys import APPROVER, check_signature
from posctl.store.sealing import binding, unseal
from protocols.sensitive import AccountNumber, consistent


@dataclass(frozen=True)
class OpenedAccount:
    """What was sealed in the field. Shows masks only."""

    new: AccountNumber
    old: AccountNumber | None
    mobile: str
    holder: str

    def __repr__(self) -> str:
        return f"OpenedAccount(new={self.new}, old={self.old})"


def open_account(session: Session, journal: Journal) -> OpenedAccount:
    """Open the box, and check it against what the order says of it.

    Raises:
        CheckFailed: ``seal.*``; ``account.hash`` where the order names another
            number; ``account.old_missing``, ``account.old_mismatch``.
    """
    order, place = journal.order, session.place
    office_key = place.profile.in_force.office_key
    info = binding("account", order.number, order.field_id, office_key)
    box = place.log.attachment(order.sealed)
    opened, key = _opened(unseal(session.secrets.seal_key, info, box))
    own_hash = opened.new.keyed_hash(key)
    same_hash = hmac.compare_digest(own_hash, order.new_hash)
    if not same_hash or opened.new.masked != order.new_mask:
        raise CheckFailed("account.hash", order=order.number)
    _check_old(session, order, opened.old)
    return opened


def _opened(plain: bytes) -> tuple[OpenedAccount, bytes]:
    """What a technician sealed is not trusted to be well formed."""
    try:
        data = json.loads(plain)
        old = AccountNumber(data["old"]) if data["old"] else None
        opened = OpenedAccount(
            AccountNumber(data["new"]), old, str(data["mobile"]), str(data["holder"])
        )
        return opened, bytes.fromhex(data["key"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckFailed("seal.content") from None


def _check_old(session: Session, order: Order, old: AccountNumber | None) -> None:
    """The old number is there where the profile wants it, and fits the mask (R3)."""
    if old is None:
        if session.place.profile.old_account == "required":
            raise CheckFailed("account.old_missing", order=order.number)
    elif order.old_mask is not None and consistent(old.masked, order.old_mask) is None:
        raise CheckFailed("account.old_mismatch", shown=order.old_mask)


def approve(session: Session, number: str) -> Order:
    """Check again what the field checked, ask the approver, record his signature.

    Raises:
        Declined: the approver said no, or typed other digits.
        CheckFailed: maker is checker, identity or account does not hold, expired.
        Refused, LinkFailed: the provider did not confirm.
    """
    journal = session.place.journal(number)
    with exclusive(session.place.log, number):
        if journal.order.state is State.APPROVED:
            return journal.order
        try:
            return _approve(session, journal)
        finally:
            finish(session, journal)  # one that has expired or was refused goes back


def _approve(session: Session, journal: Journal) -> Order:
    _check_state(session, journal.order)
    _check_two_people(session, journal)
    check_valid(session, journal)
    account = open_account(session, journal)
    evidence = check_with_provider(session, journal)
    _ask(session, journal.order, account, str(evidence["tag"]))
    digest = approval_digest(journal.order)
    approval: Json = {
        "approver": session.operator.name,
        "digest": digest,
        "proof": session.operator.sign("approval", digest),
        **evidence,
    }
    return journal.append("order.approved", approval)


def _check_state(session: Session, order: Order) -> None:
    if order.state is State.REJECTED and order.holder is session.place.holder:
        raise CheckFailed("order.refused", order=order.number, cause=order.reason)
    if order.final:
        raise order_over(order)
    if order.holder is not session.place.holder:
        raise CheckFailed(
            "order.not_held", order=order.number, holder=str(order.holder)
        )
    if order.state is not State.PROPOSED:
        raise CheckFailed(
            "order.not_proposed", order=order.number, state=str(order.state)
        )


def _check_two_people(session: Session, journal: Journal) -> None:
    """Not the one who made it: neither by name nor by certificate (R30)."""
    operator, order = session.operator, journal.order
    if operator.role != APPROVER:
        raise CheckFailed("signature.role", role=operator.role, needed=APPROVER)
    received = _last(journal, "order.received")
    same_name = operator.name.casefold() == order.operator.casefold()
    if same_name or operator.fingerprint == received["fingerprint"]:
        raise CheckFailed("approve.own", order=order.number, name=operator.name)


def check_valid(session: Session, journal: Journal) -> None:
    """Still valid, and under the very profile that it was made with (R5, R34).

    Raises:
        CheckFailed: ``order.expired``, the order ends there; ``profile.differs``.
    """
    order, profile = journal.order, session.place.profile
    if order.profile_sha256 != profile.sha256:
        raise CheckFailed("profile.differs", order=order.number)
    until = valid_until(session, journal)
    if session.place.clock.now() > until:
        journal.append("order.expired", {"reason": "order.expired"})
        raise CheckFailed("order.expired", order=order.number, until=stamp(until))


def valid_until(session: Session, journal: Journal) -> datetime:
    """What the field wrote, and no later than the profile's days from its arrival."""
    order, days = journal.order, session.place.profile.valid_days
    events = journal.log.events(order.number)
    arrived = next(e.time for e in events if e.kind == "order.received")
    try:
        written = moment(order.valid_until)
    except ValueError:
        raise CheckFailed(
            "order.payload", kind="order.proposed", part="valid_until"
        ) from None
    return min(written, moment(arrived) + timedelta(days=days))


def check_approval(session: Session, journal: Journal) -> None:
    """The approval is signed, by another person, for this very change (R30).

    Raises:
        CheckFailed: ``signature.*``, ``approve.own``.
    """
    order, approved = journal.order, _last(journal, "order.approved")
    digest = approval_digest(order)
    now = session.place.clock.now()
    root = session.place.home.root
    signer = check_signature(root, "approval", digest, approved["proof"], at=now)
    if signer.role != APPROVER:
        raise CheckFailed("signature.role", role=signer.role, needed=APPROVER)
    if signer.name.casefold() == order.operator.casefold():
        raise CheckFailed("approve.own", order=order.number, name=signer.name)


def check_with_provider(session: Session, journal: Journal) -> Json:
    """The terminal is the merchant's now, and its binding tag is genuine (R2).

    Raises:
        CheckFailed: ``look.mismatch``, ``tag.*``.
    """
    order = journal.order
    tids = session.provider().terminals(order.mid, Deadline(CALL_SECONDS))
    if order.tid not in tids:
        raise CheckFailed(
            "look.mismatch", tid=order.tid, mid=order.mid, listed=", ".join(tids)
        )
    tag = check_tag(session, order, _last(journal, "look.done").get("tag"))
    return {"terminals": len(tids), "tag": tag}


def _last(journal: Journal, kind: str) -> Json:
    return last_payload(journal.log, journal.number, kind)


def _ask(session: Session, order: Order, account: OpenedAccount, tag: str) -> None:
    """The last four digits come from the paper before him, not from the screen."""
    person = session.place.person
    person.tell(
        "approve.shown",
        order=order.number,
        mid=order.mid,
        tid=order.tid,
        old=order.old_mask or "?",
        new=order.new_mask[:-4] + "****",
        name=account.holder or "-",
        branch=order.branch,
        fee=order.fee,
        maker=order.operator,
        source=order.source,
        kind=order.kind,
        check_digit="right" if luhn.is_valid(account.new.reveal()) else "WRONG",
        tag=tag,
    )

    def check(text: str) -> str:
        if text.strip() != account.new.reveal()[-4:]:
            raise CheckFailed("approve.digits")
        return text

    person.ask("ask.last_four", check, secret=False)
