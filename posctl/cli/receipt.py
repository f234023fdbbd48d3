"""`posctl receipt`: the proof that a change is effective."""

from __future__ import annotations

import json
from pathlib import Path

import click

from posctl.cli.command import command, home_option
from posctl.cli.console import Console
from posctl.cli.messages import _
from posctl.cli.people import find_in_place
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed


@click.group(help=_("help.receipt"))
def receipt() -> None:
    """The group; each command returns data."""


@command(receipt, "show", "help.receipt.show")
@home_option
@click.argument("number", metavar="ORDER")
def show(console: Console, home: Path, number: str) -> Json:
    from posctl.store.keys import check_signature

    place, order = find_in_place(console, home, number)
    if not order.receipt:
        raise CheckFailed("receipt.none", order=number, state=str(order.state))
    signed = json.loads(place.log.attachment(order.receipt))
    signer = check_signature(
        place.home.root,
        "receipt",
        signed["body"],
        signed["proof"],
        at=place.clock.now(),
    )
    shown = {"signed_by": signer.name, **signed["body"]}
    return {**shown, "proof": signed["proof"]} if console.as_json else shown
