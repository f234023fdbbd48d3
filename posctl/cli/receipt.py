"""`posctl receipt`: the proof that a change is effective."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import home_option, order_argument, output_option
from posctl.cli.people import find_in_place
from posctl.cli.text.messages import _
from posctl.model.canonical import Json, is_canonical
from posctl.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from posctl.change.order import Order
    from posctl.store.keys import Signer


_LARGEST = 1024 * 1024
RECEIPT_PARTS = (
    *("order", "result", "profile", "mid", "tid", "serial", "old", "new", "fee"),
    *("maker", "approver", "application", "proposed", "approved", "effective_at"),
    *("issued", "order_head", "store_head"),
)


@group("help.receipt")
def receipt() -> None:
    """The group; each command returns data."""


def _signer(root: Certificate, signed: Json, source: str) -> Signer:
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
    signer = check_signature(root, "receipt", body, proof, at=issued)
    if signer.role != APPROVER:
        raise CheckFailed("signature.role", role=signer.role, needed=APPROVER)
    return signer


def _check_order(order: Order, body: Json) -> None:
    """Raises CheckFailed ``receipt.other``."""
    same = (body["order"], body["mid"], body["tid"], body["new"])
    if same != (order.number, order.mid, order.tid, order.new_mask):
        raise CheckFailed("receipt.other", order=order.number)


@command(receipt, "show", "help.receipt.show")
@output_option("option.output_receipt")
@home_option
@order_argument
def show(console: Console, home: Path, output: Path | None, number: str) -> Json:
    from posctl.store.files import write_private

    place, order = find_in_place(console, home, number)
    if not order.receipt:
        raise CheckFailed("receipt.none", order=number, state=str(order.state))
    stored = place.log.attachment(order.receipt)
    signed = json.loads(stored)
    signer = _signer(place.home.root, signed, f"receipt of {number}")
    _check_order(order, signed["body"])
    shown = {**_body(signed, f"receipt of {number}"), "signed_by": signer.name}
    if output is not None:
        write_private(output, stored)
        shown["file"] = str(output)
    return {**shown, "proof": signed["proof"]} if console.as_json else shown


@command(receipt, "verify", "help.receipt.verify")
@click.option(
    "--root",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("option.root"),
)
@home_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(console: Console, home: Path, root: Path | None, file: Path) -> Json:
    """Needs no set-up, only the root's certificate: its public half (R45)."""
    from posctl.store.keys import fingerprint, is_test_root

    certificate = _certificate(root or home / "root.pem")
    signed = _read(file)
    signer = _signer(certificate, signed, str(file))
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
    """Raises CheckFailed ``receipt.unreadable``."""
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST:
            raw = path.read_bytes()
            data = dict(json.loads(raw))
            if data.keys() == {"body", "proof"} and is_canonical(data, raw):
                return data
    except (ValueError, TypeError, RecursionError):
        pass
    raise CheckFailed("receipt.unreadable", path=str(path))


def _certificate(path: Path) -> Certificate:
    """Raises UsageError ``receipt.root``."""
    from posctl.store.keys import load_certificate

    try:
        return load_certificate(path)
    except UsageError:
        raise UsageError("receipt.root", path=str(path)) from None
