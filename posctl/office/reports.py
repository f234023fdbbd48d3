"""A changed binding is reported to the clearing institution: an open task until
somebody says under which reference that was done (R46; PBOC notice 259 of 2021).

By then the order is over or in the field's hands, so the word is a signed statement
beside the log. What is open follows from the log: no crash loses a task.
"""

from __future__ import annotations

import json
from pathlib import Path

from posctl.change.journal import exclusive
from posctl.change.order import Order
from posctl.model.canonical import Json, canonical
from posctl.model.clock import moment, stamp
from posctl.model.errors import CheckFailed
from posctl.office.place import OfficePlace, Session
from posctl.office.registry import find_merchant
from posctl.store.files import write_private
from posctl.store.keys import check_signature

PURPOSE = "report"


def open_reports(place: OfficePlace) -> list[Order]:
    """Changes that took effect and were not said to be reported, oldest first."""
    if not place.profile.order.report:
        return []
    done = [path.stem for path in _folder(place).glob("*.json")]
    return place.orders(since="0", but=done)


def is_open(place: OfficePlace, order: Order) -> bool:
    """Whether that one is still to be reported."""
    wanted = bool(order.effective_at and place.profile.order.report)
    return wanted and not _path(place, order.number).exists()


def binding_of(place: OfficePlace, order: Order) -> Json:
    """The five-tuple as far as it is known here; the account masked."""
    merchant = find_merchant(place, order.mid)
    return {
        "order": order.number,
        "serial": order.serial,
        "tid": order.tid,
        "acquirer": place.profile.provider,
        "mid": order.mid,
        "name": merchant.name if merchant else None,
        "credit_code": (merchant.credit_code or None) if merchant else None,
        "new": order.new_mask,
        "installed_at": (merchant.address or None) if merchant else None,
        "effective_at": order.effective_at,
    }


def confirm_report(session: Session, number: str, reference: str) -> Json:
    """It was reported, says the operator. Twice is harmless.

    Raises:
        CheckFailed: ``report.not_due``; ``report.other_reference``.
    """
    place = session.place
    with exclusive(place.log, number):
        order = place.journal(number).order
        if not order.effective_at or not place.profile.order.report:
            raise CheckFailed("report.not_due", order=number, state=str(order.state))
        if is_open(place, order):
            _write(session, order, reference)
        said = read_report(place, number)
    if said["reference"] != reference:
        known = {"reference": said["reference"], "name": said["by"]}
        raise CheckFailed("report.other_reference", order=number, **known)
    return said


def _write(session: Session, order: Order, reference: str) -> None:
    place = session.place
    body: Json = {
        "order": order.number,
        "order_hash": order.hash,
        "to": place.profile.order.report,
        "reference": reference,
        "reported": stamp(place.clock.now()),
    }
    signed = {"body": body, "proof": session.operator.sign(PURPOSE, body)}
    write_private(_path(place, order.number), canonical(signed))


def read_report(place: OfficePlace, number: str) -> Json:
    """What was said of an order, and by whom.

    Raises:
        CheckFailed: ``report.altered``: no word of an operator of this organisation.
    """
    try:
        signed = json.loads(_path(place, number).read_bytes())
        body, proof = signed["body"], signed["proof"]
        at = moment(body["reported"])
        signer = check_signature(
            place.home.trust, PURPOSE, body, proof, at=at, dated=True
        )
        if body["order"] != number:
            raise ValueError("of another order")
    except (CheckFailed, OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CheckFailed("report.altered", order=number) from None
    return {**body, "by": signer.name}


def check_reports(place: OfficePlace) -> None:
    """Every word that is kept, for `audit verify`.

    Raises:
        CheckFailed: ``report.altered`` with the order.
    """
    for path in sorted(_folder(place).glob("*.json")):
        said = read_report(place, path.stem)
        known = {event.hash for event in place.log.events(path.stem)}
        if said["order_hash"] not in known:
            raise CheckFailed("report.altered", order=path.stem)


def _folder(place: OfficePlace) -> Path:
    return place.home.office / "reports"


def _path(place: OfficePlace, number: str) -> Path:
    return _folder(place) / f"{number}.json"
