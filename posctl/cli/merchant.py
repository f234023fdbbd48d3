"""`posctl merchant`: the provider's terminal list, fetched by the office."""

from __future__ import annotations

from pathlib import Path

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import (
    MerchantNumber,
    home_option,
    operator_option,
    output_option,
)
from posctl.cli.people import office_session
from posctl.model.canonical import Json


@group("help.merchant")
def merchant() -> None:
    """The group; each command returns data."""


@command(merchant, "fetch", "help.merchant.fetch")
@output_option("option.output")
@operator_option
@home_option
@click.argument("mid", metavar="MID", type=MerchantNumber())
def fetch(
    console: Console,
    home: Path,
    operator: str | None,
    output: Path | None,
    mid: str,
) -> Json:
    from posctl.office.merchant import fetch_terminals

    path = fetch_terminals(office_session(console, home, operator), mid, output)
    return {"mid": mid, "file": str(path)}
