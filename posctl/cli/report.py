"""`posctl report`: what the clearing institution is to be told of a change (R46)."""

from __future__ import annotations

from pathlib import Path

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import (
    Reference,
    home_option,
    operator_option,
    order_argument,
)
from posctl.cli.people import office_place, office_session
from posctl.cli.text.messages import _
from posctl.model.canonical import Json


@group("help.report")
def report() -> None:
    """The group; each command returns data."""


@command(report, "list", "help.report.list")
@home_option
def list_reports(console: Console, home: Path) -> Json:
    from posctl.office.reports import binding_of, open_reports

    place = office_place(console, home)
    found = [binding_of(place, order) for order in open_reports(place)]
    return {"to": place.profile.order.report or None, "reports": found}


@command(report, "confirm", "help.report.confirm")
@click.option(
    "--reference",
    metavar="TEXT",
    type=Reference(),
    required=True,
    help=_("option.reference"),
)
@operator_option
@home_option
@order_argument
def confirm(
    console: Console, home: Path, operator: str | None, number: str, reference: str
) -> Json:
    """Raises CheckFailed ``report.not_due``, ``report.other_reference``."""
    from posctl.office.reports import confirm_report

    session = office_session(console, home, operator)
    said = confirm_report(session, number, reference)
    shown = ("order", "to", "reference", "reported", "by")
    return {name: said[name] for name in shown}
