"""`posctl orders`: what is under way, in both places."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command, home_option
from posctl.cli.console import Console
from posctl.cli.messages import _
from posctl.cli.people import field_place, office_place
from posctl.cli.views import order_row
from posctl.model.canonical import Json

if TYPE_CHECKING:
    from posctl.change.order import Order


@command(None, "orders", "help.orders")
@click.option("--open", "only_open", is_flag=True, help=_("option.open"))
@home_option
def orders(console: Console, home: Path, only_open: bool) -> Json:
    newest: dict[str, Order] = {}
    unfinished: set[str] = set()
    for place in (field_place(console, home), office_place(console, home)):
        for order in place.orders():
            if not order.final:  # also where only one of the two has heard of it
                unfinished.add(order.number)
            known = newest.get(order.number)
            if known is None or order.position > known.position:
                newest[order.number] = order
    by_time = sorted(newest.values(), key=lambda order: order.opened)
    shown = [o for o in by_time if not only_open or o.number in unfinished]
    return {"orders": [order_row(order) for order in shown]}
