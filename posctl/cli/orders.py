"""`posctl orders`: what is under way, in both places."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.change.states import Terminal
from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import (
    NewFile,
    home_option,
    operator_option,
    order_argument,
    yes_option,
)
from posctl.cli.people import (
    find_in_place,
    newest_orders,
    office_place,
    office_session,
)
from posctl.cli.text.messages import _
from posctl.cli.views import order_row, order_view, what_next
from posctl.model.canonical import Json
from posctl.model.clock import SystemClock, stamp

if TYPE_CHECKING:
    from posctl.change.order import Order


@group("help.orders")
def orders() -> None:
    """The group; each command returns data."""


@command(orders, "list", "help.orders.list")
@click.option("--open", "only_open", is_flag=True, help=_("option.open"))
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help=_("option.limit"),
)
@home_option
def list_orders(console: Console, home: Path, only_open: bool, limit: int) -> Json:
    found = newest_orders(console, home, only_open=only_open, limit=limit)
    return {"orders": [order_row(order) for order in found]}


@command(orders, "due", "help.orders.due")
@click.option("--days", type=click.IntRange(0, 365), help=_("option.due_days"))
@click.option(
    "--ics",
    metavar="FILE",
    type=NewFile(),
    help=_("option.ics"),
)
@home_option
def due(console: Console, home: Path, days: int | None, ics: Path | None) -> Json:
    """Raises LinkFailed ``file.unwritable``."""
    from posctl.change.control import due as list_due
    from posctl.cli.calendar import calendar
    from posctl.cli.people import field_place
    from posctl.store.files import write_private

    rules = field_place(console, home).profile.order
    now = SystemClock().now()
    before = now + timedelta(days=rules.due_days if days is None else days)
    listed = newest_orders(console, home, only_open=True)
    found = list_due(listed, stamp(before))
    if ics is not None:
        write_private(ics, calendar(found, now, rules.due_days).encode())
    return {"due": found, "file": str(ics) if ics else None}


@command(orders, "expire", "help.orders.expire")
@operator_option
@home_option
def expire(console: Console, home: Path, operator: str | None) -> Json:
    from posctl.office.commit import expire as end_all

    return {"expired": end_all(office_session(console, home, operator))}


@command(orders, "erase", "help.orders.erase")
@yes_option
@operator_option
@home_option
@order_argument
def erase(console: Console, home: Path, operator: str | None, number: str) -> Json:
    from posctl.change.erase import ERASE_WORD, check_erasable, erase_order
    from posctl.cli.people import field_place

    session = office_session(console, home, operator)
    places = [field_place(console, home), office_place(console, home)]
    check_erasable(places, number)
    console.confirm("erase.confirm", ERASE_WORD, order=number)
    gone = erase_order(places, number, session.operator.name)
    return {"order": number, "erased": gone}


@command(orders, "show", "help.orders.show")
@home_option
@order_argument
def show(console: Console, home: Path, number: str) -> Json:
    place, order = find_in_place(console, home, number)
    events = [
        {"position": e.position, "time": e.time, "event": e.kind}
        for e in place.log.events(number)
    ]
    office = office_place(console, home)
    other = place.replaced_by(order) or office.replaced_by(order) or None
    shown = {**order_view(order), "replaced_by": other}
    if other:  # the takings do not go there any more
        shown["effective"] = None
    shown["tasks"] = _tasks(console, home, order)
    return {**shown, "next": what_next(order), "events": events}


def _tasks(console: Console, home: Path, order: Order) -> list[str]:
    """What is still open after the change took effect."""
    from posctl.office.reports import is_open

    office = office_place(console, home)
    known = office.log.projection(order.number)
    found = {
        "confirm": bool(order.effective_at) and order.terminal is Terminal.PENDING,
        "report": known is not None and is_open(office, order),
    }
    return [task for task, still in found.items() if still]
