"""`posctl receipt`: the proof that a change is effective."""

from __future__ import annotations

import json
from pathlib import Path

import click
from cryptography.x509 import Certificate

from posctl.change.order import Order
from posctl.cli.command import command, home_option, order_argument
from posctl.cli.console import Console
from posctl.cli.messages import _
from posctl.cli.people import find_in_place
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.errors import CheckFailed
from posctl.store.keys import APPROVER, Signer, check_signature


@click.group(help=_("help.receipt"))
def receipt() -> None:
    """The group; each command returns data."""


def _checked(root: Certificate, order: Order, signed: Json) -> Signer:
    """An approver's signature, valid when it was given, on this very order.

    Raises:
        CheckFailed: ``signature.*``, ``receipt.other``.
    """
    body = signed["body"]
    signer = check_signature(
        root, "receipt", body, signed["proof"], at=moment(body["issued"])
    )
    if signer.role != APPROVER:
        raise CheckFailed("signature.role", role=signer.role, needed=APPROVER)
    same = (body["order"], body["mid"], body["tid"], body["new"])
    if same != (order.number, order.mid, order.tid, order.new_mask):
        raise CheckFailed("receipt.other", order=order.number)
    return signer


@command(receipt, "show", "help.receipt.show")
@home_option
@order_argument
def show(console: Console, home: Path, number: str) -> Json:

    place, order = find_in_place(console, home, number)
    if not order.receipt:
        raise CheckFailed("receipt.none", order=number, state=str(order.state))
    signed = json.loads(place.log.attachment(order.receipt))
    signer = _checked(place.home.root, order, signed)
    shown = {"signed_by": signer.name, **signed["body"]}
    return {**shown, "proof": signed["proof"]} if console.as_json else shown
