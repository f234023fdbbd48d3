"""`posctl binding`: which account a terminal is bound to, as far as it can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.devices import look_at
from posctl.cli.grammar import group
from posctl.cli.options import home_option, merchant_option, port_option, shop_option
from posctl.model.canonical import Json

if TYPE_CHECKING:
    from posctl.change.order import Order
    from protocols.bindingtag import BindingTag


@group("help.binding")
def binding() -> None:
    """The group; each command returns data."""


@command(binding, "show", "help.binding.show")
@shop_option
@port_option
@merchant_option
@home_option
def show(
    console: Console,
    shop: str | None,
    port: str | None,
    merchant: str | None,
    home: Path,
) -> Json:
    from posctl.cli.people import field_place, newest_orders

    place = field_place(console, home)
    found = look_at(console, place, port, merchant)
    last = _last_effective(newest_orders(console, home), found.mid)
    verdict = found.verdict()
    return {
        "serial": found.identity.serial,
        "serial_verdict": verdict["serial"],
        "tid": found.tid,
        "tid_verdict": verdict["tid"],
        "mid": found.mid,
        "mid_verdict": verdict["mid"],
        "list_fetched": found.listed.fetched,
        "account": (found.tag.mask or None) if found.tag else None,
        "account_version": found.tag.version if found.tag else None,
        "account_verdict": _verdict(found.tag, last),
        "order": last.number if last else None,
    }


def _last_effective(orders: list[Order], mid: str) -> Order | None:
    from posctl.change.states import State

    decided = (State.EFFECTIVE, State.CLOSED)
    known = [o for o in orders if o.mid == mid and o.state in decided]
    return max(known, key=lambda order: order.changed, default=None)


def _verdict(tag: BindingTag | None, last: Order | None) -> str:
    """The terminal's account against the last change known here (R2): never a guess."""
    if tag is not None and tag.unbound:
        return "UNBOUND"
    if tag is None or last is None:
        return "unknown"
    if (tag.mask, tag.version) == (last.old_mask, last.old_version):
        return "lags"
    made_by_the_acquirer = last.expected_tag in (None, tag.fingerprint())
    agrees = tag.mask == last.new_mask and made_by_the_acquirer
    return "agrees" if agrees else "mismatch"
