"""`posctl audit`: is the log whole, and does it hold what left this machine (R50)?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from posctl.change.states import Holder
from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import NewFile, home_option, operator_option
from posctl.cli.people import field_place, office_place, signing_operator
from posctl.cli.text.messages import _
from posctl.model.canonical import Json

if TYPE_CHECKING:
    from posctl.change.place import Place

F = TypeVar("F", bound=Callable[..., Any])
_PLACES = tuple(str(holder) for holder in Holder)


@group("help.audit")
def audit() -> None:
    """The group; each command returns data."""


def _place_option(required: bool) -> Callable[[F], F]:
    made: Callable[[F], F] = click.option(
        "--place",
        type=click.Choice(_PLACES),
        required=required,
        help=_("option.place"),
    )
    return made


@command(audit, "verify", "help.audit.verify")
@click.option(
    "--against", "heads", multiple=True, metavar="HEAD", help=_("option.against")
)
@_place_option(required=False)
@home_option
def verify(
    console: Console, home: Path, heads: tuple[str, ...], place: str | None
) -> Json:
    """HEAD: 64 hexadecimal digits of a store or an order, or a file that holds some:
    a receipt, an order file.

    Raises:
        CheckFailed: ``log.broken``, ``log.projection``, ``audit.head``,
            ``outbox.altered``, ``report.altered``.
    """
    from posctl.change.audit import check_heads, heads_of, summary
    from posctl.office.outbox import check_outbox
    from posctl.office.place import OfficePlace
    from posctl.office.reports import check_reports

    wanted = [head for text in heads for head in heads_of(text)]
    chosen = _chosen(console, home, place)
    for found in chosen:
        found.log.verify()
        if isinstance(found, OfficePlace):
            check_outbox(found)
            check_reports(found)
    check_heads([found.log for found in chosen], wanted)
    return {"stores": [summary(found) for found in chosen], "heads": len(wanted)}


def _chosen(console: Console, home: Path, place: str | None) -> list[Place]:
    makers: dict[str, Callable[[Console, Path], Place]] = {
        "field": field_place,
        "office": office_place,
    }
    wanted = makers if place is None else [place]
    return [makers[name](console, home) for name in wanted]


@command(audit, "export", "help.audit.export")
@_place_option(required=True)
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    type=NewFile(),
    help=_("option.output_audit"),
)
@operator_option
@home_option
def export(
    console: Console, home: Path, operator: str | None, output: Path, place: str
) -> Json:
    """Every event as a line of JSON, and last a line that signs the head."""
    from posctl.change.audit import export as write

    who = signing_operator(console, home, operator)
    (chosen,) = _chosen(console, home, place)
    chosen.log.verify()
    return write(chosen, who, output)
