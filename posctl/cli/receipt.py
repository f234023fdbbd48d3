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
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from posctl.change.order import Order
    from posctl.store.keys import Signer


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
    shown = {"signed_by": signer.name, **signed["body"]}
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
    from posctl.store.keys import fingerprint, is_test_root, load_certificate

    certificate = load_certificate(root or _root_of(home))
    signed = _read(file)
    signer = _signer(certificate, signed, str(file))
    return {
        "verified": True,
        "signed_by": signer.name,
        "root_fingerprint": fingerprint(certificate),
        "test_root": is_test_root(certificate),
        **signed["body"],
    }


def _root_of(home: Path) -> Path:
    """Raises UsageError ``receipt.root``."""
    path = home / "root.pem"
    if not path.is_file():
        raise UsageError("receipt.root", path=str(path))
    return path


def _read(path: Path) -> Json:
    """Raises CheckFailed ``receipt.unreadable``."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError, RecursionError):
        raise CheckFailed("receipt.unreadable", path=str(path)) from None
