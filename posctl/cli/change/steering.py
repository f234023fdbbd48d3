"""`posctl change cancel | rollback | freeze | thaw | handoff`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.change.states import FREEZE_REASONS, Holder, State
from posctl.cli.change.group import change
from posctl.cli.change.outlook import documents
from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.options import (
    home_option,
    operator_option,
    order_argument,
    order_file_option,
)
from posctl.cli.people import (
    field_place,
    field_session,
    find_in_place,
    office_session,
)
from posctl.cli.text.messages import _
from posctl.cli.views import order_view, say_found, what_next
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed

if TYPE_CHECKING:
    from posctl.change.journal import Journal
    from posctl.change.order import Order
    from posctl.office.place import Session

Act = Callable[["Journal", str], "Order"]


def _act(
    console: Console, home: Path, operator: str | None, number: str, do: Act
) -> Json:
    """By whoever is at work in the place that holds the order."""
    from posctl.field import course

    order = _held(console, home, number)
    if order.holder is not Holder.FIELD:
        return _act_at_office(office_session(console, home, operator), number, do)
    session = field_session(console, home, operator)
    name = session.operator.name
    done = course.act(session, number, lambda journal: do(journal, name))
    return {**order_view(done), "next": what_next(done)}


def _act_at_office(session: Session, number: str, do: Act) -> Json:
    from posctl.office import commit

    name = session.operator.name
    done = commit.act(session, number, lambda journal: do(journal, name))
    return {**order_view(done), "next": what_next(done)}


def _held(console: Console, home: Path, number: str) -> Order:
    """Raises CheckFailed ``order.in_transit``: its holder is not at hand here."""
    place, order = find_in_place(console, home, number)
    say_found(console, order)
    if order.holder is not place.holder and not order.final:
        raise CheckFailed("order.in_transit", order=number, holder=str(order.holder))
    return order


@command(change, "cancel", "help.change.cancel")
@order_file_option("option.order_file_to_end")
@operator_option
@home_option
@order_argument
def cancel(
    console: Console,
    home: Path,
    operator: str | None,
    order_file: Path | None,
    number: str,
) -> Json:
    from posctl.change.control import GIVE_UP_WORD, may_give_up
    from posctl.change.control import cancel as withdraw

    def do(journal: Journal, name: str) -> Order:
        return withdraw(journal, name, "order.withdrawn")

    session = None
    if order_file is not None:
        session = office_session(console, home, operator)
        session.place.take_to_end(order_file, number)
    order = find_in_place(console, home, number)[1]
    if may_give_up(order):
        console.confirm("give_up.confirm", GIVE_UP_WORD, order=number)
    if session is not None:
        return _act_at_office(session, number, do)
    return _act(console, home, operator, number, do)


@command(change, "freeze", "help.change.freeze")
@click.option(
    "--reason",
    type=click.Choice(FREEZE_REASONS),
    required=True,
    help=_("option.freeze_reason"),
)
@operator_option
@home_option
@order_argument
def freeze(
    console: Console, home: Path, operator: str | None, reason: str, number: str
) -> Json:
    from posctl.change.control import freeze as stop

    def do(journal: Journal, name: str) -> Order:
        frozen = stop(journal, name, f"frozen.{reason}")
        if frozen.committed:
            console.tell("freeze.goes_on", order=number)
        return frozen

    return _act(console, home, operator, number, do)


@command(change, "thaw", "help.change.thaw")
@operator_option
@home_option
@order_argument
def thaw(console: Console, home: Path, operator: str | None, number: str) -> Json:
    from posctl.change.control import thaw as go_on

    if _held(console, home, number).holder is Holder.FIELD:
        raise CheckFailed("thaw.at_field", order=number)
    return _act(console, home, operator, number, go_on)


@command(change, "rollback", "help.change.rollback")
@operator_option
@home_option
@order_argument
def rollback(console: Console, home: Path, operator: str | None, number: str) -> Json:
    ended = _roll_back(console, home, operator, number)
    return {**order_view(ended), "next": None}


def _roll_back(
    console: Console, home: Path, operator: str | None, number: str
) -> Order:
    from posctl.change.order import order_over
    from posctl.field import course
    from posctl.office import commit as office_commit

    order = find_in_place(console, home, number)[1]
    if order.final and order.state is not State.ROLLED_BACK:
        raise order_over(order)
    if not order.may_roll_back and not order.final:
        raise CheckFailed("rollback.too_late", order=number, state=str(order.state))
    if _held(console, home, number).holder is Holder.FIELD:
        return course.roll_back(field_session(console, home, operator), number)
    return office_commit.roll_back(office_session(console, home, operator), number)


@command(change, "handoff", "help.change.handoff")
@operator_option
@home_option
@order_argument
def handoff(console: Console, home: Path, operator: str | None, number: str) -> Json:
    """Channels never mix inside one order: this one ends first (R6)."""
    order = _roll_back(console, home, operator, number)
    place, _order = find_in_place(console, home, number)
    profile = place.profile
    subject = field_place(console, home).subject(order.mid)
    console.tell("handoff.closed", order=number)
    return {
        "order": number,
        "state": str(order.state),
        "mid": order.mid,
        "tid": order.tid,
        "old": order.old_mask,
        "new": order.new_mask or None,
        "channels": [c for c in profile.channels if c != "device"] or ["counter"],
        "menus": profile.menus,
        "contacts": profile.contacts,
        "documents": documents(profile, order.account_type, subject),
    }
