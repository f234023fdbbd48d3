"""The receipt at EFFECTIVE, and the way back to the field."""

from __future__ import annotations

import hashlib
from pathlib import Path

from posctl.change import orderfile
from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order
from posctl.change.states import State, Terminal
from posctl.model.canonical import Json, canonical
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed, LinkFailed
from posctl.office.place import Session
from posctl.office.tags import expected_tag
from posctl.store.files import remove


def issue_receipt(session: Session, journal: Journal) -> Order:
    """Signed JSON with masks, people, times and both chain heads (R45)."""
    order, place = journal.order, session.place
    times = {e.kind: e.time for e in journal.log.events(order.number)}
    body: Json = {
        "order": order.number,
        "profile": f"{order.profile} {order.profile_version}",
        "mid": order.mid,
        "tid": order.tid,
        "serial": order.serial,
        "old": order.old_mask or order.provider_mask or None,
        "new": order.new_mask,
        "fee": order.fee,
        "maker": order.operator,
        "approver": order.approver,
        "application": order.application,
        "proposed": times["order.proposed"],
        "approved": times["order.approved"],
        "effective_at": times["readback.done"],
        "result": str(order.state),
        "order_head": order.hash,
        "store_head": journal.log.head(),
        "issued": stamp(place.clock.now()),
    }
    signed = canonical({"body": body, "proof": session.operator.sign("receipt", body)})
    sha256 = hashlib.sha256(signed).hexdigest()
    issued = journal.append("receipt.issued", {"receipt": sha256}, attachments=[signed])
    place.person.tell("receipt.issued", order=order.number)
    return issued


def finish(session: Session, journal: Journal) -> None:
    """A receipt at EFFECTIVE; every order that is decided goes back to the field."""
    order = journal.order
    if order.state is State.CLOSED and _was_returned(journal):
        return  # closed in the field: it came back for the record
    if order.state is State.EFFECTIVE and not order.receipt:
        order = issue_receipt(session, journal)
    if order.state is State.EFFECTIVE and order.terminal is Terminal.NOT_APPLICABLE:
        if order.holder is session.place.holder:
            order = journal.append("order.closed", {"by": "office"})
    if order.final or order.state is State.EFFECTIVE:
        give_back(session, journal)


def return_ended(session: Session) -> None:
    """The way back of orders that ended while nobody was at work who signs: refused on
    arrival, or a run died on the way. The file that was received is there until they
    are back. One that another run is at is left to it, and one that cannot go back
    keeps nobody from the others.
    """
    place = session.place
    for path in sorted(place.order_path("").parent.glob(f"*{orderfile.SUFFIX}")):
        number = path.name.removesuffix(orderfile.SUFFIX)
        try:
            _return_ended(session, number)
        except LinkFailed:
            continue
        except CheckFailed as failure:
            place.person.tell("each.failed", name=number, failure=failure)


def _return_ended(session: Session, number: str) -> None:
    place = session.place
    if place.log.projection(number) is None:
        return
    with exclusive(place.log, number):
        journal = place.journal(number)
        if journal.order.final:
            finish(session, journal)


def _was_returned(journal: Journal) -> bool:
    events = journal.log.events(journal.number)
    return any(event.kind == "order.returned" for event in events)


def give_back(session: Session, journal: Journal) -> Path:
    """The decided order, and one notice for the outbox, back to the field.

    Doing it again writes the same order once more: the field takes it only once.
    """
    place, order = session.place, journal.order
    if order.holder is place.holder:
        order = journal.append(
            "order.returned",
            {"to": "field", "expected_tag": expected_tag(session, order)},
            notices={order.number: notice_of(order)},
        )
    solo = place.home.settings.mode == "solo"
    folder = place.home.field / "inbox" if solo else place.home.office / "outgoing"
    path = folder / orderfile.file_name(order.number)
    orderfile.write(path, journal, session.operator, place.clock.now())
    remove(place.order_path(order.number))
    return path


def notice_of(order: Order) -> Json:
    """What the old and the new contact are told (R46)."""
    return {
        "order": order.number,
        "result": str(State.EFFECTIVE if order.effective_at else order.state),
        "mid": order.mid,
        "old": order.old_mask or order.provider_mask or None,
        "new": order.new_mask,
        "reason": order.reason,
    }
