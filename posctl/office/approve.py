"""Approve: another person looks at what was proposed and signs its digest (R30).

He sits at the office, or is elsewhere: then a short request goes to him, and his answer
comes back; what he signs is the same digest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from posctl.change.approval import (
    Answer,
    approval_digest,
    armoured_answer,
    armoured_request,
    read_answer,
    read_request,
    request_of,
)
from posctl.change.journal import Journal, exclusive, last_payload
from posctl.change.order import Order, order_over, profile_of, was_received
from posctl.change.person import Person
from posctl.change.states import Holder, State
from posctl.model.canonical import Json
from posctl.model.clock import moment, stamp
from posctl.model.errors import CheckFailed
from posctl.model.steps import Stage
from posctl.office.account import OpenedAccount, account_id, open_account
from posctl.office.doubts import accept_doubts
from posctl.office.place import Session
from posctl.office.receipt import finish
from posctl.office.recheck import agent_of, check_accepted, check_facts
from posctl.office.steps import Context, run_again, run_stage
from posctl.office.steps.same_name import grade_of, is_other_holder
from posctl.store import keys
from posctl.store.keys import APPROVER, Operator, Signer, check_signature

PURPOSE = "approval"
COUNTED_ANEW = "office_caps"
"""The step that is made again when an approval is recorded."""
_CLOCK_MAY_STEP = timedelta(minutes=5)
"""How far this machine's clock may go back behind the order's last event (R12)."""
_APPROVAL_SECONDS = 10.0
"""How long another process may take to record an approval of its own."""
ApprovalStep = Callable[[Session, Journal], Order]


def approve(session: Session, number: str) -> Order:
    """Check again what the field checked, ask the approver, record his signature.

    Raises:
        Declined: the approver said no, or typed other digits.
        CheckFailed: maker is checker, a step did not pass, expired.
        Refused, LinkFailed: the provider did not confirm.
    """
    return _within(session, number, _approve)


def ask_elsewhere(session: Session, number: str) -> str:
    """The request for a checker elsewhere, once every step of the office has passed.

    Raises:
        CheckFailed: as ``approve``; ``armour.long``; ``order.not_proposed`` where it is
            approved already.
    """
    made: list[str] = []

    def ask(session: Session, journal: Journal) -> Order:
        _account, found = _verified(session, journal)
        order = journal.append("approval.asked", found)
        request = request_of(order, name_grade=grade_of(found["steps"]))
        made.append(armoured_request(request))
        return order

    order = _within(session, number, ask)
    if not made:
        _check_state(session, order)
    return made[0]


def take_answer(session: Session, number: str, text: str) -> Order:
    """The approval that a colleague signed elsewhere.

    Raises:
        CheckFailed: ``armour.*``, ``approval.other``, ``signature.*``, ``approve.own``.
    """

    def take(session: Session, journal: Journal) -> Order:
        answer = read_answer(text)
        if answer.number != number:
            raise CheckFailed("approval.other", order=number, other=answer.number)
        asked = _last(journal, "approval.asked")
        _check_open(session, journal)
        _check_standing(journal)
        account = open_account(session, journal)
        proof = _proof(session, answer)
        return _record(session, journal, account, asked, proof, answer.name)

    return _within(session, number, take)


def sign_elsewhere(operator: Operator, person: Person, text: str) -> str:
    """The checker's own machine: shows what is asked, and signs it. Needs no store.

    Raises:
        Declined: other digits were typed.
        CheckFailed: ``armour.unreadable``, ``signature.role``, ``approve.own``.
    """
    request = read_request(text)
    if operator.role != APPROVER:
        raise CheckFailed("signature.role", role=operator.role, needed=APPROVER)
    if operator.name.casefold() == request.shown["operator"].casefold():
        raise CheckFailed("approve.own", order=request.number, name=operator.name)
    told = {name: text or "-" for name, text in request.shown.items()}
    shown = {**told, "new": request.shown["new_mask"][:-4] + "****"}
    shown["check_digit"] = "right" if request.shown["luhn"] == "True" else "WRONG"
    person.tell("approval.shown", **shown)
    _ask_digits(person, request.shown["new_mask"][-4:])
    signature = operator.sign(PURPOSE, request.digest)["signature"]
    return armoured_answer(request.number, operator.name, str(signature))


def _within(session: Session, number: str, step: ApprovalStep) -> Order:
    journal = session.place.journal(number)
    with exclusive(session.place.log, number):
        if journal.order.state in (State.APPROVED, State.COOLING):
            return journal.order
        try:
            return step(session, journal)
        finally:
            finish(session, journal)  # one that has expired or was refused goes back


def _approve(session: Session, journal: Journal) -> Order:
    account, found = _verified(session, journal)
    steps, operator = found["steps"], session.operator
    _ask(session, journal, account, steps)
    digest = approval_digest(journal.order, name_grade=grade_of(steps))
    proof = operator.sign(PURPOSE, digest)
    return _record(session, journal, account, found, proof, operator.name)


def _verified(session: Session, journal: Journal) -> tuple[OpenedAccount, Json]:
    """The account, and what the approval will say of it: evidence by step, and who took
    which doubt upon himself."""
    _check_open(session, journal)
    account = open_account(session, journal)
    steps = run_stage(Context(session, journal, account), Stage.APPROVAL)
    person, operator = session.place.person, session.operator
    accepted = accept_doubts(person, journal.order, account, operator.name)
    return account, {"steps": steps, "accepted": accepted}


def _check_open(session: Session, journal: Journal) -> None:
    _check_state(session, journal.order)
    _check_two_people(session, journal)
    check_valid(session, journal)
    check_accepted(session, journal)
    check_facts(session, journal)


def _record(
    session: Session,
    journal: Journal,
    account: OpenedAccount,
    found: Json,
    proof: Json,
    approver: str,
) -> Order:
    """One event, once the signature was found right; then the cooling-off begins. The
    caps are counted once more: between the request and the answer others were approved.
    """
    grade = grade_of(found["steps"])
    digest = approval_digest(journal.order, name_grade=grade)
    _check_signer(session, journal.order, digest, proof, approver)
    hours = _cooling_hours(session, grade)
    approval: Json = {
        "approver": approver,
        "digest": digest,
        "proof": proof,
        "steps": found["steps"],
        "accepted": found.get("accepted", {}),
        "name_grade": grade,
        "cooling_hours": hours,
        "account_id": account_id(session, account.new),
        "revocations": session.place.trust.number,
    }
    with exclusive(session.place.log, "approvals", wait=_APPROVAL_SECONDS):
        run_again(Context(session, journal, account), COUNTED_ANEW)
        order = journal.append("order.approved", approval)
    return cool(session, journal) if hours else order


def _cooling_hours(session: Session, grade: str) -> int:
    rules = session.place.profile.verification
    other = rules.cooling_hours_other_holder if is_other_holder(grade) else 0
    return max(rules.cooling_hours, other)


def cool(session: Session, journal: Journal) -> Order:
    """Nothing is submitted before this is over (R31)."""
    until = session.place.clock.now() + timedelta(hours=journal.order.cooling_hours)
    return journal.append("order.cooling", {"cool_until": stamp(until)})


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
    """Still valid, under the very profile that it was made with, and by a technician
    whose certificate counts still (R5, R34).

    Raises:
        CheckFailed: ``order.expired``, the order ends there; ``profile.differs``;
            ``signature.revoked``; ``clock.back``.
    """
    order, profile = journal.order, session.place.profile
    session.place.trust.check(_last(journal, "order.received")["fingerprint"])
    if profile_of(order) != (profile.name, profile.version, profile.sha256):
        raise CheckFailed("profile.differs", order=order.number)
    until, now = valid_until(session, journal), session.place.clock.now()
    if now < moment(order.changed) - _CLOCK_MAY_STEP:
        raise CheckFailed("clock.back", order=order.number, last=order.changed)
    if now > until:
        journal.append("order.expired", {"reason": "order.expired"})
        raise CheckFailed("order.expired", order=order.number, until=stamp(until))


def valid_until(session: Session, journal: Journal) -> datetime:
    """What the field wrote, and no later than the profile's days from its arrival; the
    time that the order was frozen does not count."""
    order, days = journal.order, session.place.profile.order.valid_days
    events = journal.log.events(order.number)
    arrived = next(e.time for e in events if was_received(e, Holder.OFFICE))
    stopped = timedelta(milliseconds=order.stopped_ms)
    latest = moment(arrived) + timedelta(days=days) + stopped
    return min(order.expires or latest, latest)


def check_approval(session: Session, journal: Journal) -> None:
    """The approval is signed, by another person, for this very change (R30).

    Raises:
        CheckFailed: ``signature.*``, ``approve.own``.
    """
    order, approved = journal.order, _last(journal, "order.approved")
    digest = approval_digest(order)
    _check_signer(session, order, digest, approved["proof"], order.approver)


def _check_standing(journal: Journal) -> None:
    """What was asked stands only as long as no step said no after it.

    Raises:
        CheckFailed: ``approval.stale``.
    """
    for event in reversed(journal.log.events(journal.number)):
        if event.kind == "approval.asked":
            return
        if event.kind == "step.failed" and event.payload["step"] != COUNTED_ANEW:
            step, cause = event.payload["step"], event.payload["cause"]
            raise CheckFailed(
                "approval.stale", order=journal.number, step=step, cause=cause
            )


def _check_signer(
    session: Session, order: Order, digest: str, proof: Json, name: str
) -> Signer:
    place = session.place
    now = place.clock.now()
    signer = check_signature(place.trust, PURPOSE, digest, proof, at=now)
    if signer.role != APPROVER:
        raise CheckFailed("signature.role", role=signer.role, needed=APPROVER)
    if signer.name != name:
        raise CheckFailed("signature.other", order=order.number)
    if signer.name.casefold() == order.operator.casefold():
        raise CheckFailed("approve.own", order=order.number, name=signer.name)
    return signer


def _proof(session: Session, answer: Answer) -> Json:
    """A short answer holds no certificate: it is looked up here.

    Raises:
        UsageError: ``operator.missing``.
    """
    folder = session.place.home.operators
    certificate: Certificate = keys.certificate_of(folder, answer.name)
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return {"certificate": pem, "signature": answer.signature}


def _last(journal: Journal, kind: str) -> Json:
    return last_payload(journal.log, journal.number, kind)


def _ask(
    session: Session, journal: Journal, account: OpenedAccount, steps: Json
) -> None:
    """The last four digits come from the paper before him, not from the screen."""
    person, order = session.place.person, journal.order
    person.tell(
        "approve.shown",
        order=order.number,
        mid=order.mid,
        tid=order.tid,
        old=order.old_mask or order.provider_mask or "?",
        new=order.new_mask[:-4] + "****",
        name=account.holder or "-",
        holder_by=account.holder_by,
        grade=grade_of(steps) or "-",
        branch=" ".join(filter(None, (order.branch, account.bank, account.area)))
        or "-",
        fee=order.fee,
        maker=order.operator,
        agent=agent_of(journal) or "-",
        source=order.source,
        kind=order.kind,
        kind_by=order.kind_by or "-",
        chip_grade=order.chip_grade or "-",
        check_digit="right" if account.check_digit_right else "WRONG",
        tag=str(steps.get("identity", {}).get("tag", "not checked")),
    )
    _ask_digits(person, account.new.reveal()[-4:])


def _ask_digits(person: Person, last_four: str) -> None:
    def check(text: str) -> str:
        if text.strip() != last_four:
            raise CheckFailed("approve.digits")
        return text

    person.ask("ask.last_four", check, secret=False)
