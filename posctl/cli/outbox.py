"""`posctl outbox`: what the old and the new contact are told, at least once (R46)."""

from __future__ import annotations

from pathlib import Path

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import NewFile, home_option
from posctl.cli.people import office_place
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import UsageError


@group("help.outbox")
def outbox() -> None:
    """The group; each command returns data."""


@command(outbox, "list", "help.outbox.list")
@home_option
def list_notices(console: Console, home: Path) -> Json:
    rows = office_place(console, home).log.undelivered()
    return {"messages": [{"key": key, **notice} for key, _order, notice in rows]}


@command(outbox, "deliver", "help.outbox.deliver")
@click.option(
    "--to-file",
    metavar="FILE",
    type=NewFile(),
    help=_("option.to_file"),
)
@click.option("--command", "program", metavar="COMMAND", help=_("option.command"))
@home_option
def deliver(
    console: Console, home: Path, to_file: Path | None, program: str | None
) -> Json:
    """Raises UsageError ``outbox.where``; LinkFailed ``outbox.failed``."""
    from posctl.office.outbox import deliver_all, to_command
    from posctl.office.outbox import to_file as into

    if (to_file is None) == (program is None):
        raise UsageError("outbox.where")
    adapter = into(to_file) if to_file else to_command(str(program))
    return {"delivered": deliver_all(office_place(console, home), adapter)}
