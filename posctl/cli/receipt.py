"""`posctl receipt`: the proof of an effective change; before, a slip that is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import home_option, order_argument, root_option
from posctl.cli.people import find_in_place
from posctl.cli.slips import (
    as_json,
    form_for,
    paper_options,
    receipt_slip,
    submission_slip,
    written,
)
from posctl.cli.views import submission_view
from posctl.model.canonical import Json, is_canonical
from posctl.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from posctl.change.order import Order
    from posctl.store.keys import Signer, Trust


_LARGEST = 1024 * 1024
STDIN = Path("-")
RECEIPT_PARTS = (
    *("order", "result", "profile", "mid", "tid", "serial", "old", "new", "fee"),
    *("maker", "approver", "application", "proposed", "approved", "effective_at"),
    *("issued", "order_head", "store_head"),
)


@group("help.receipt")
def receipt() -> None:
    """The group; each command returns data."""


def _signer(trust: Trust, signed: Json, source: str) -> Signer:
    """The approver whose signature, valid when it was given, it carries.

    Raises:
        CheckFailed: ``receipt.unreadable``, ``signature.*``.
    """
    from posctl.model.clock import moment
    from posctl.store.keys import APPROVER, check_signature

    try:
        body, proof = signed["body"], signed["proof"]
        issued = moment(body["issued"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CheckFailed("receipt.unreadable", path=source) from None
    signer = check_signature(trust, "receipt", body, proof, at=issued, dated=True)
    if signer.role != APPROVER:
        raise CheckFailed("signature.role", role=signer.role, needed=APPROVER)
    return signer


def _check_order(order: Order, body: Json) -> None:
    """Raises CheckFailed ``receipt.other``."""
    same = (body["order"], body["mid"], body["tid"], body["new"])
    if same != (order.number, order.mid, order.tid, order.new_mask):
        raise CheckFailed("receipt.other", order=order.number)


@command(receipt, "show", "help.receipt.show")
@paper_options("option.output_receipt")
@home_option
@order_argument
def show(
    console: Console,
    home: Path,
    output: Path | None,
    form: str | None,
    font: Path | None,
    number: str,
) -> Json:
    form = form_for(form, output)
    place, order = find_in_place(console, home, number)
    if not order.receipt:
        raise CheckFailed("receipt.none", order=number, state=str(order.state))
    stored = place.log.attachment(order.receipt)
    signed = json.loads(stored)
    signer = _signer(place.trust, signed, f"receipt of {number}")
    _check_order(order, signed["body"])
    shown = {**_body(signed, f"receipt of {number}"), "signed_by": signer.name}
    more = {"proof": signed["proof"]} if console.as_json else {}
    if form is not None:
        told = {**shown, "sha256": order.receipt}
        slip = receipt_slip(told, signed, place.home.root)
        more |= written(slip, form, stored, output, font)
    return {**shown, **more}


@command(receipt, "slip", "help.receipt.slip")
@paper_options("option.output_slip")
@home_option
@order_argument
def submission(
    console: Console,
    home: Path,
    output: Path | None,
    form: str | None,
    font: Path | None,
    number: str,
) -> Json:
    """Of an order under way: both heads leave the machine with it (R50)."""
    form = form_for(form, output)
    if form is None and not console.as_json:
        form = "text"
    place, order = find_in_place(console, home, number)
    _check_submitted(order)
    shown = submission_view(order, place.log.head(), place.home.root)
    if form is None:
        return shown
    slip = submission_slip(order, shown, place.home.root)
    return {**shown, **written(slip, form, as_json(shown), output, font)}


def _check_submitted(order: Order) -> None:
    """Raises CheckFailed ``slip.draft``, ``slip.effective``."""
    from posctl.change.states import State

    if order.state in (State.EFFECTIVE, State.CLOSED):
        raise CheckFailed("slip.effective", order=order.number, state=str(order.state))
    if not order.valid_until:
        raise CheckFailed("slip.draft", order=order.number, state=str(order.state))


@command(receipt, "verify", "help.receipt.verify")
@root_option
@home_option
@click.argument(
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
def verify(console: Console, home: Path, root: Path | None, file: Path) -> Json:
    """Needs no set-up, only the root's certificate: its public half (R45). The list of
    certificates that were taken back is that of the set-up: with --root there is none.
    """
    from posctl.store.keys import fingerprint, is_test_root

    certificate = _certificate(root or home / "root.pem")
    signed = _read(file)
    signer = _signer(_trust(certificate, None if root else home), signed, str(file))
    return {
        **_body(signed, str(file)),
        "verified": True,
        "signed_by": signer.name,
        "root_fingerprint": fingerprint(certificate),
        "test_root": is_test_root(certificate),
    }


def _body(signed: Json, source: str) -> Json:
    """What a receipt says, and nothing that only looks as if it did.

    Raises:
        CheckFailed: ``receipt.unreadable``.
    """
    body = signed["body"]
    if any(not isinstance(body.get(name), str | None) for name in RECEIPT_PARTS):
        raise CheckFailed("receipt.unreadable", path=source)
    return {name: body.get(name) for name in RECEIPT_PARTS}


def _read(path: Path) -> Json:
    """A receipt's JSON, or the text of its QR code.

    Raises:
        CheckFailed: ``receipt.unreadable``, ``receipt.slip``.
    """
    try:
        return _parsed(_bytes(path))
    except (ValueError, TypeError, RecursionError):
        raise CheckFailed("receipt.unreadable", path=str(path)) from None


def _bytes(path: Path) -> bytes:
    """Raises ValueError."""
    if path == STDIN:
        whole: bytes = sys.stdin.buffer.read(_LARGEST + 1)
    elif path.is_file() and path.stat().st_size <= _LARGEST:
        whole = path.read_bytes()
    else:
        raise ValueError("no file, or too long")
    if len(whole) > _LARGEST:
        raise ValueError("too long")
    return whole


def _parsed(whole: bytes) -> Json:
    """Raises ValueError, TypeError, RecursionError; CheckFailed ``receipt.slip``."""
    from posctl.receipts import qr

    if whole.lstrip().startswith(qr.SUBMISSION.encode()):
        raise CheckFailed("receipt.slip")
    if whole.lstrip().startswith(qr.RECEIPT.encode()):
        return qr.read_receipt(whole.decode("ascii"))
    data = dict(json.loads(whole))
    if data.keys() != {"body", "proof"} or not is_canonical(data, whole):
        raise ValueError("not as it was signed")
    return data


def _trust(certificate: Certificate, home: Path | None) -> Trust:
    """Raises CheckFailed ``revocations.signature``."""
    from posctl.store.home import Home
    from posctl.store.keys import Trust

    return Home(home).trust if home else Trust(certificate)


def _certificate(path: Path) -> Certificate:
    """Raises UsageError ``receipt.root``."""
    from posctl.store.keys import load_certificate

    try:
        return load_certificate(path)
    except UsageError:
        raise UsageError("receipt.root", path=str(path)) from None
