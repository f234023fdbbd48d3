"""The order file: how an order crosses from one place to the other (format 1).

    {"format": "posctl-order", "version": 1,
     "body":  {order, sender, events, attachments, documents, head, store_head,
               written},
     "proof": {certificate, signature},       over the canonical form of body
     "boxes": {sha256: base64}}               every hash is named in body

``attachments`` go into the receiver's store; ``documents`` are sealed pictures, which
stay in the file. The format is versioned; another version is refused. The file is the
canonical form of this object: nothing in it has a second spelling. docs/order-file.md
tells it to whoever reads these files with another program.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from posctl.change.journal import Journal
from posctl.change.order import NUMBER, Order
from posctl.change.states import HANDS_OVER, Holder
from posctl.model.canonical import Json, canonical, is_canonical
from posctl.model.clock import stamp
from posctl.model.errors import CheckFailed
from posctl.store.eventlog import Event, check_chain
from posctl.store.files import read_json, write_private
from posctl.store.keys import (
    APPROVER,
    TECHNICIAN,
    Operator,
    Signer,
    Trust,
    check_signature,
)

SUFFIX = ".posctl-order"
_FORMAT, _VERSION = "posctl-order", 1
_LARGEST = 32 * 1024 * 1024
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError, RecursionError)
_ATTACHMENTS = ("sealed", "backup", "receipt")
_SIGNS = {Holder.FIELD: TECHNICIAN, Holder.OFFICE: APPROVER}

_HASH = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_WHOLE = {"format": str, "version": int, "body": dict, "proof": dict, "boxes": dict}
_DOCUMENT = {"kind": str, "sha256": str, "box": str}
_BODY = {
    "order": str,
    "sender": str,
    "events": list,
    "attachments": list,
    "documents": list,
    "head": str,
    "store_head": str,
    "written": str,
}


@dataclass(frozen=True)
class SealedDocument:
    """A picture: kind at the provider, SHA-256 of the picture, the sealed bytes."""

    kind: str
    sha256: str
    box: bytes


@dataclass(frozen=True)
class OrderFile:
    """An order file whose signature, chain and hashes were right."""

    number: str
    sender: Holder
    signer: Signer
    events: tuple[Event, ...]
    attachments: tuple[bytes, ...]
    documents: tuple[SealedDocument, ...]
    head: str


def file_name(number: str) -> str:
    return f"{number}{SUFFIX}"


def sign_anew(path: Path, operator: Operator) -> None:
    """The same file under its maker's certificate of now: that of then may have run out
    or have been taken back while the file was on its way."""
    whole = read_json(path)
    whole["proof"] = operator.sign("order file", whole["body"])
    write_private(path, canonical(whole))


def write(
    path: Path,
    journal: Journal,
    operator: Operator,
    now: datetime,
    documents: Sequence[SealedDocument] = (),
) -> None:
    """Write the order as this place holds it, signed by ``operator``."""
    order = journal.order
    attachments = _attachments(journal, order)
    boxes = {_sha256(box): box for box in attachments}
    boxes |= {_sha256(document.box): document.box for document in documents}
    body: Json = {
        "order": order.number,
        "sender": str(journal.place),
        "events": [event.to_json() for event in journal.log.events(order.number)],
        "attachments": [_sha256(box) for box in attachments],
        "documents": [
            {"kind": d.kind, "sha256": d.sha256, "box": _sha256(d.box)}
            for d in documents
        ],
        "head": order.hash,
        "store_head": journal.log.head(),
        "written": stamp(now),
    }
    whole = {
        "format": _FORMAT,
        "version": _VERSION,
        "body": body,
        "proof": operator.sign("order file", body),
        "boxes": {k: base64.b64encode(v).decode() for k, v in boxes.items()},
    }
    write_private(path, canonical(whole))


def _attachments(journal: Journal, order: Order) -> list[bytes]:
    hashes = [getattr(order, name) for name in _ATTACHMENTS]
    return [journal.log.attachment(sha256) for sha256 in hashes if sha256]


def read(path: Path, trust: Trust, now: datetime) -> OrderFile:
    """Open and check an order file.

    Raises:
        CheckFailed: ``orderfile.unreadable`` with the reason, ``signature.*``,
            ``chain.broken``, ``order.not_sent``.
    """
    data = _load(path)
    try:
        _check_parts(data)
        body = data["body"]
        signer = check_signature(trust, "order file", body, data["proof"], at=now)
        _check_role(signer, Holder(body["sender"]))
        return _checked(body, _boxes(data["boxes"]), signer)
    except _MALFORMED as error:
        raise _unreadable(path, f"{type(error).__name__} in its parts") from None


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():  # a FIFO would hang
        raise _unreadable(path, "no such file")
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise _unreadable(path, "larger than 32 MiB")
        data = json.loads(raw.decode())
    except OSError as error:
        raise _unreadable(path, error.strerror or "cannot be opened") from None
    except (ValueError, RecursionError):
        raise _unreadable(path, "not JSON") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise _unreadable(path, "not an order file")
    if data.get("version") != _VERSION:
        raise _unreadable(path, f"version {data.get('version')} is not known here")
    if not is_canonical(data, raw):
        raise _unreadable(path, "not in canonical form")
    return data


def _check_parts(data: Json) -> None:
    """No part is missing, unknown or of another type. Raises ValueError."""
    _exactly(data, _WHOLE)
    _exactly(data["body"], _BODY)
    for document in data["body"]["documents"]:
        _exactly(document, _DOCUMENT)


def _exactly(part: Json, types: Mapping[str, type]) -> None:
    if part.keys() != types.keys() or any(
        type(part[name]) is not kind for name, kind in types.items()
    ):
        raise ValueError("other parts than the format has")


def _check_role(signer: Signer, sender: Holder) -> None:
    needed = _SIGNS[sender]
    if signer.role != needed:
        raise CheckFailed("signature.role", role=signer.role, needed=needed)


def _boxes(texts: Mapping[str, str]) -> dict[str, bytes]:
    boxes = {
        name: base64.b64decode(text, validate=True) for name, text in texts.items()
    }
    if any(_sha256(box) != name for name, box in boxes.items()):
        raise ValueError("a box differs from its hash")
    if any(base64.b64encode(boxes[n]).decode() != text for n, text in texts.items()):
        raise ValueError("a box has another spelling")
    return boxes


def _checked(body: Json, boxes: Mapping[str, bytes], signer: Signer) -> OrderFile:
    events = tuple(Event.from_json(event) for event in body["events"])
    check_chain(events)
    _check_body(body, events)
    documents = tuple(
        SealedDocument(d["kind"], d["sha256"], boxes[d["box"]])
        for d in body["documents"]
    )
    named = {*body["attachments"], *(d["box"] for d in body["documents"])}
    if named != boxes.keys():
        raise ValueError("boxes that the body does not name")
    sender = Holder(body["sender"])
    if _holder_after(events) is sender:
        raise CheckFailed("order.not_sent", order=body["order"])
    return OrderFile(
        number=body["order"],
        sender=sender,
        signer=signer,
        events=events,
        attachments=tuple(boxes[sha256] for sha256 in body["attachments"]),
        documents=documents,
        head=body["head"],
    )


def _check_body(body: Json, events: Sequence[Event]) -> None:
    """Number, head, hashes and times. Raises ValueError."""
    if events[-1].hash != body["head"] or events[0].order_id != body["order"]:
        raise ValueError("head or number differs from the events")
    if not NUMBER.fullmatch(body["order"]):
        raise ValueError("not an order number")
    hashes = [body["store_head"], *(d["sha256"] for d in body["documents"])]
    times = [body["written"], *(event.time for event in events)]
    if not all(map(_HASH.fullmatch, hashes)) or not all(map(_TIME.fullmatch, times)):
        raise ValueError("a hash or a time is none")


def _holder_after(events: Sequence[Event]) -> Holder:
    """Who may add to the order now: each place writes the file when it gives it up."""
    handed = [HANDS_OVER[event.kind] for event in events if event.kind in HANDS_OVER]
    return handed[-1] if handed else Holder.FIELD


def _unreadable(path: Path, reason: str) -> CheckFailed:
    return CheckFailed("orderfile.unreadable", path=str(path), reason=reason)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
