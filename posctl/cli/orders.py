"""`posctl orders`: what is under way, in both places."""

from __future__ import annotations

from pathlib import Path

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import home_option, order_argument
from posctl.cli.people import find_in_place, newest_orders
from posctl.cli.text.messages import _
from posctl.cli.views import order_row, order_view, shown_before_approval, what_next
from posctl.model.canonical import Json


@group("help.orders")
def orders() -> None:
    """The group; each command returns data."""


@command(orders, "list", "help.orders.list")
@click.option("--open", "only_open", is_flag=True, help=_("option.open"))
@home_option
def list_orders(console: Console, home: Path, only_open: bool) -> Json:
    found = newest_orders(console, home, only_open=only_open)
    return {"orders": [order_row(order) for order in found]}


@command(orders, "show", "help.orders.show")
@home_option
@order_argument
def show(console: Console, home: Path, number: str) -> Json:
    place, order = find_in_place(console, home, number)
    events = [
        {"position": e.position, "time": e.time, "event": e.kind}
        for e in place.log.events(number)
    ]
    shown = {**order_view(order), "new": shown_before_approval(order)}
    return {**shown, "next": what_next(order), "events": events}
