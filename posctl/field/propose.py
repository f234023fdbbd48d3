"""Propose: confirm the order, and hand it to the office as one signed file."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

from posctl.change import orderfile
from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.change.orderfile import SealedDocument
from posctl.field.advice import ReceivingLimit, advise
from posctl.field.place import FieldPlace, Session
from posctl.model.canonical import Json
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed, Declined
from posctl.store.files import read_as, remove, texts, write_json, write_private
from posctl.store.sealing import binding, seal

CONFIRM_WORD = "CHANGE"
NOT_KEPT = "(not kept on this machine: look at the card)"
NOT_KNOWN = "(not known: the number was typed)"


def propose(
    place: FieldPlace,
    journal: Journal,
    steps: Json,
    limit: ReceivingLimit | None = None,
) -> Order:
    """The confirmation screen (R44); then the order is valid for some days (R34).
    ``limit``: what the bank lets the new account receive, if somebody told it.

    Raises:
        Declined: ``propose.declined``; the order stays as it is.
    """
    order, profile = journal.order, place.profile
    advised = advise(place, order, limit)
    place.person.tell("propose.terms", terms=profile.terms.text)
    try:
        asked = _confirm(place, order)
    except Declined:
        raise Declined("propose.declined", order=order.number) from None
    until = place.clock.now() + timedelta(days=profile.order.valid_days)
    return journal.append(
        "order.proposed",
        {
            "steps": steps,
            "valid_until": stamp(until),
            "terms_sha256": profile.terms.sha256,
            "fee_accepted": str(profile.fees.total),
            "word_typed": asked,
            **advised,
        },
    )


def _confirm(place: FieldPlace, order: Order) -> bool:
    fees = place.profile.fees
    return place.person.confirm(
        "propose.confirm",
        CONFIRM_WORD,
        order=order.number,
        mid=order.mid,
        tid=order.tid or "-",
        old=order.old_mask or "?",
        new=order.new_mask,
        label=order.label or order.source,
        name=place.holder_name or (NOT_KEPT if order.source == "chip" else NOT_KNOWN),
        branch=f"{order.branch} {place.bank_name}".strip() or "-",
        fee=fees.total,
        change=fees.change,
        service=fees.service,
        deposit=fees.deposit,
    )


def hand_over(session: Session, journal: Journal, path: Path | None) -> Path:
    """Seal the pictures, give the order up, write the order file.

    The file is kept, sealed, until the order is back: doing this again hands over the
    same file, also when the pictures are gone. The office takes it only once.
    Without ``path`` it goes to the office's inbox of a solo set-up, or to the current
    folder.
    """
    place = session.place
    order, kept = journal.order, place.outgoing(journal.number)
    if order.holder is place.holder or not kept.exists():
        documents = _sealed_documents(place, order)
        if order.holder is place.holder:
            order = journal.append("order.sent", {"to": "office"})
        orderfile.write(kept, journal, session.operator, place.clock.now(), documents)
        remove(place.boxes_file(order.number))
    else:
        orderfile.sign_anew(kept, session.operator)
    target = path or _default_target(place, order)
    write_private(target, kept.read_bytes())
    remove(place.means_file(order.number))
    return target


def _default_target(place: FieldPlace, order: Order) -> Path:
    solo = place.home.settings.mode == "solo"
    folder = place.home.office / "inbox" if solo else Path.cwd()
    return folder / orderfile.file_name(order.number)


def _sealed_documents(place: FieldPlace, order: Order) -> list[SealedDocument]:
    """Sealed once and kept until the order file is written: from the moment that the
    order is given up it must not need the pictures any more."""
    if not order.documents:
        return []
    path = place.boxes_file(order.number)
    if not path.exists():
        write_json(path, _seal_all(place, order))

    def boxed(data: Any) -> list[SealedDocument]:
        return [
            SealedDocument(d["kind"], d["sha256"], bytes.fromhex(data[d["kind"]]))
            for d in order.documents
        ]

    return read_as(path, boxed)


def _seal_all(place: FieldPlace, order: Order) -> dict[str, str]:
    paths = read_as(place.means_file(order.number), lambda data: texts(data["paths"]))
    wanted = [(item, Path(paths.get(item["kind"], ""))) for item in order.documents]
    first = Path(min(paths.values(), default=""))
    place.person.tell("document.yours", folder=first.parent)
    return {d["kind"]: _sealed(place, order, d, path).hex() for d, path in wanted}


def _sealed(place: FieldPlace, order: Order, item: Json, path: Path) -> bytes:
    """The picture as it is now must be the picture that was checked."""
    try:
        body = path.read_bytes()
    except OSError:
        raise CheckFailed(
            "document.missing", kind=item["kind"], path=str(path)
        ) from None
    if hashlib.sha256(body).hexdigest() != item["sha256"]:
        raise CheckFailed("document.changed", path=str(path))
    office_key = place.profile.in_force.office_key
    info = binding(f"document {item['kind']}", order.number, order.field_id, office_key)
    return seal(office_key, info, body)
