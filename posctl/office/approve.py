"""Approve: another person looks at what was proposed and signs its digest (R30)."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass

from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order, approval_digest
from posctl.change.states import State
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.office.merchant import CALL_SECONDS
from posctl.office.place import Session
from posctl.office.receipt import finish
from posctl.store.keys import APPROVER, check_signature
from posctl.store.sealing import binding, unseal
from protocols.bindingtag import BindingTag
from protocols.sensitive import AccountNumber


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
        CheckFailed: ``seal.*``, ``account.hash`` where the order names another number.
    """
    order, place = journal.order, session.place
    office_key = place.profile.in_force.office_key
    info = binding("account", order.number, order.field_id, office_key)
    box = place.log.attachment(order.sealed)
    plain = json.loads(unseal(session.secrets.seal_key, info, box))
    new = AccountNumber(plain["new"])
    own_hash = new.keyed_hash(bytes.fromhex(plain["key"]))
    if (
        not hmac.compare_digest(own_hash, order.new_hash)
        or new.masked != order.new_mask
    ):
        raise CheckFailed("account.hash", order=order.number)
    old = AccountNumber(plain["old"]) if plain["old"] else None
    return OpenedAccount(new, old, plain["mobile"], plain["holder"])


def _last(journal: Journal, kind: str) -> Json:
    events = journal.log.events(journal.number)
    return next(e.payload for e in reversed(events) if e.kind == kind)


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
        _check_state(journal.order)
        try:
            return _approve(session, journal)
        finally:
            finish(session, journal)  # an order that has expired goes back


def _approve(session: Session, journal: Journal) -> Order:
    _check_two_people(session, journal)
    check_valid(session, journal)
    account = open_account(session, journal)
    evidence = check_with_provider(session, journal)
    _ask(session, journal.order, account)
    digest = approval_digest(journal.order)
    approval: Json = {
        "approver": session.operator.name,
        "digest": digest,
        "proof": session.operator.sign("approval", digest),
        **evidence,
    }
    return journal.append("order.approved", approval)


def _check_state(order: Order) -> None:
    if order.state is not State.PROPOSED:
        raise CheckFailed(
            "order.not_proposed", order=order.number, state=str(order.state)
        )


def _check_two_people(session: Session, journal: Journal) -> None:
    """Not the one who made it: neither by name nor by key (R30)."""
    operator, order = session.operator, journal.order
    if operator.role != APPROVER:
        raise CheckFailed("signature.role", role=operator.role, needed=APPROVER)
    signer = _last(journal, "order.received")["signer"]
    if operator.name in (order.operator, signer):
        raise CheckFailed("approve.own", order=order.number, name=operator.name)


def check_valid(session: Session, journal: Journal) -> None:
    """Still valid, and under the profile that it was made with (R5, R34).

    Raises:
        CheckFailed: ``order.expired``, the order ends there; ``profile.differs``.
    """
    order, profile = journal.order, session.place.profile
    now = session.place.clock.now()
    if (order.profile, order.profile_version) != (profile.name, profile.version):
        raise CheckFailed("profile.differs", order=order.number)
    if now > moment(order.valid_until):
        journal.append("order.expired", {"reason": "order.expired"})
        raise CheckFailed("order.expired", order=order.number, until=order.valid_until)


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
    if signer.name == order.operator:
        raise CheckFailed("approve.own", order=order.number, name=signer.name)


def check_with_provider(session: Session, journal: Journal) -> Json:
    """The terminal is the merchant's now, and its binding tag is genuine (R2).

    Raises:
        CheckFailed: ``look.mismatch``, ``tag.forged``.
    """
    order, provider = journal.order, session.provider()
    tids = provider.terminals(order.mid, Deadline(CALL_SECONDS))
    if order.tid not in tids:
        raise CheckFailed(
            "look.mismatch", tid=order.tid, mid=order.mid, listed=", ".join(tids)
        )
    tag_grade = check_tag(session, order, _last(journal, "look.done").get("tag"))
    return {"terminals": len(tids), "tag": tag_grade}


def check_tag(session: Session, order: Order, shown: str | None) -> str:
    """``genuine``, or ``not checked`` where there is no tag or no key for it."""
    key = session.secrets.tag_key
    if shown is None or key is None:
        return "not checked"
    tag = BindingTag.from_hex(shown)
    if not tag.genuine(key, mid=order.mid, tid=order.tid):
        raise CheckFailed("tag.forged", tid=order.tid)
    return "genuine"


def _ask(session: Session, order: Order, account: OpenedAccount) -> None:
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
    )

    def check(text: str) -> str:
        if text.strip() != account.new.reveal()[-4:]:
            raise CheckFailed("approve.digits")
        return text

    person.ask("ask.last_four", check, secret=False)
