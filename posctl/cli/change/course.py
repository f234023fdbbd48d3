"""`posctl change run | propose | approve | commit | amount | confirm | resume`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from posctl.change.states import Holder, State
from posctl.cli.change.group import change
from posctl.cli.command import command, current_settings, options
from posctl.cli.console import Console
from posctl.cli.devices import choose_port, remember_shop
from posctl.cli.options import (
    SECONDS,
    Limit,
    NewFile,
    home_option,
    merchant_option,
    new_shop_option,
    operator_option,
    order_argument,
    order_file_option,
    pictures_option,
    port_option,
    reader_option,
    shop_option,
    wait_card_option,
    yes_option,
)
from posctl.cli.people import (
    field_session,
    find_in_place,
    office_session,
    profile_to_read_with,
)
from posctl.cli.text.messages import _
from posctl.cli.views import order_view, say_found, what_next
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from posctl.field.course import Means, Proposed
    from posctl.field.look import Look
    from posctl.model.profile import Profile


F = TypeVar("F", bound=Callable[..., Any])


def _means_options(shop: Callable[[F], F]) -> Callable[[F], F]:
    made: Callable[[F], F] = options(
        shop,
        port_option,
        reader_option,
        click.option("--typed", is_flag=True, help=_("option.typed")),
        pictures_option,
        wait_card_option,
        click.option(
            "--order-file",
            "output",
            metavar="FILE",
            type=NewFile(),
            help=_("option.order_file"),
        ),
        merchant_option,
        yes_option,
        click.option("--corporate", is_flag=True, help=_("option.corporate")),
        click.option("--agent", metavar="NAME", help=_("option.agent")),
        click.option(
            "--bin-table",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help=_("option.bin_table"),
        ),
        click.option(
            "--receiving-limit",
            "limit",
            metavar="YUAN[:DAY]",
            type=Limit(),
            help=_("option.receiving_limit"),
        ),
    )
    return made


@command(change, "run", "help.change.run")
@click.option("--rehearse", is_flag=True, help=_("option.rehearse"))
@click.option("--then-change", is_flag=True, help=_("option.then_change"))
@_means_options(new_shop_option)
@operator_option
@home_option
def run(
    console: Console,
    home: Path,
    operator: str | None,
    shop: str | None,
    rehearse: bool,
    then_change: bool,
    **given: Any,
) -> Json:
    if then_change and not rehearse:
        raise UsageError("rehearse.missing")
    if not rehearse:
        return _run(console, home, operator, shop, given)
    from posctl.cli import rehearsal

    profile = profile_to_read_with(console, home, None)
    report = rehearsal.rehearse(console, home, operator, _means(profile, given))
    if not rehearsal.begins(console, report, go_on=then_change):
        return report if console.as_json else {}
    done = _run(console, home, operator, shop, given)
    return {**done, "rehearsal": report} if console.as_json else done


def _run(
    console: Console,
    home: Path,
    operator: str | None,
    shop: str | None,
    means: dict[str, Any],
) -> Json:
    from posctl.field import course

    session = field_session(console, home, operator)
    if shop is not None and shop not in current_settings().shops:
        console.tell("shop.new", shop=shop)

    def looked(found: Look) -> None:
        remember_shop(console, shop, merchant=found.mid, port=means["port"])

    proposed = course.run(session, _means(session.place.profile, means), looked)
    _remember_means(console, shop, proposed.means)
    return _proposed(console, proposed)


def _remember_means(console: Console, shop: str | None, means: Means) -> None:
    """Those that the proposal was made with."""
    remember_shop(console, shop, reader=means.reader, pictures=means.pictures)


@command(change, "propose", "help.change.propose")
@_means_options(shop_option)
@operator_option
@home_option
@order_argument
def propose(
    console: Console,
    home: Path,
    operator: str | None,
    number: str,
    shop: str | None,
    **means: Any,
) -> Json:
    return _field_resume(console, home, operator, number, shop, means)


def _field_resume(
    console: Console,
    home: Path,
    operator: str | None,
    number: str,
    shop: str | None,
    means: dict[str, Any],
) -> Json:
    from posctl.field import course

    place, order = find_in_place(console, home, number)
    if place.holder is Holder.OFFICE and not order.final:
        raise CheckFailed(
            "order.at_office", order=number, state=str(order.state), since=order.changed
        )
    session = field_session(console, home, operator)
    chosen = {**means, "port": means["port"] or order.address}
    proposed = course.resume(session, number, _means(session.place.profile, chosen))
    remember_shop(console, shop, port=means["port"])
    _remember_means(console, shop, proposed.means)
    return _proposed(console, proposed)


def _means(profile: Profile, given: dict[str, Any]) -> Means:
    """Of a terminal without a cable nobody asks the port."""
    from posctl.field.advice import ReceivingLimit
    from posctl.field.course import Means
    from posctl.field.label import ADDRESS

    others = {name: value for name, value in given.items() if name != "port"}
    limit = others.get("limit")
    others["limit"] = ReceivingLimit.parse(limit) if limit else None
    by_label = profile.terminal.protocol == ADDRESS
    address = ADDRESS if by_label else choose_port(given["port"])
    return Means(address=address, **others)


def _proposed(console: Console, proposed: Proposed) -> Json:
    number = proposed.order.number
    console.tell("change.you_may_leave", order=number)
    return {
        **order_view(proposed.order),
        "order_file": str(proposed.file),
        "apdus": proposed.order.apdus,
        "serial_bytes": proposed.serial_bytes,
        "next": what_next(proposed.order),
    }


@command(change, "approve", "help.change.approve")
@operator_option
@home_option
@order_file_option("option.order_file_in")
@order_argument
def approve(
    console: Console,
    home: Path,
    operator: str | None,
    order_file: Path | None,
    number: str,
) -> Json:
    from posctl.office.approve import approve as approve_order

    session = office_session(console, home, operator)
    if order_file is not None:
        session.place.take(order_file)
    order = approve_order(session, number)
    console.tell("change.approved", order=number, name=order.approver)
    return {**order_view(order), "next": what_next(order)}


def _wait_option(body: Any) -> Any:
    return click.option(
        "--wait", metavar="SECONDS", type=SECONDS, help=_("option.wait")
    )(body)


@command(change, "commit", "help.change.commit")
@_wait_option
@operator_option
@home_option
@order_argument
def commit(
    console: Console,
    home: Path,
    operator: str | None,
    wait: float | None,
    number: str,
) -> Json:
    return _commit(console, home, operator, wait, number)


def _commit(
    console: Console,
    home: Path,
    operator: str | None,
    wait: float | None,
    number: str,
) -> Json:
    from posctl.office.commit import commit as commit_order

    session = office_session(console, home, operator)
    seconds = session.place.profile.poll.wait_seconds if wait is None else wait
    order = commit_order(session, number, seconds)
    return {**order_view(order), "next": what_next(order)}


@command(change, "amount", "help.change.amount")
@_wait_option
@operator_option
@home_option
@order_argument
def amount(
    console: Console,
    home: Path,
    operator: str | None,
    wait: float | None,
    number: str,
) -> Json:
    """What the merchant found on his statement: asked, not an option (R29)."""
    from posctl.office.commit import check_amount_asked, report_amount

    session = office_session(console, home, operator)
    check_amount_asked(session.place.journal(number).order)
    fen = console.ask("ask.amount", _fen, secret=False)
    seconds = session.place.profile.poll.wait_seconds if wait is None else wait
    order = report_amount(session, number, fen, seconds)
    return {**order_view(order), "next": what_next(order)}


def _fen(text: str) -> int:
    """Yuan with two decimals. Raises CheckFailed ``amount.form``."""
    found = re.fullmatch(r"([0-9]{1,4})\.([0-9]{2})", text.strip())
    if found is None:
        raise CheckFailed("amount.form")
    return int(found[1]) * 100 + int(found[2])


@command(change, "push", "help.change.push")
@operator_option
@home_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def push(console: Console, home: Path, operator: str | None, file: Path) -> Json:
    """FILE is the body as it arrived; how it arrived is the office's affair."""
    from posctl.office.pushed import take_push

    session = office_session(console, home, operator)
    return take_push(session, {}, file.read_bytes())


@command(change, "confirm", "help.change.confirm")
@shop_option
@port_option
@operator_option
@home_option
@order_argument
def confirm(
    console: Console,
    home: Path,
    operator: str | None,
    shop: str | None,
    port: str | None,
    number: str,
) -> Json:
    return _confirm(console, home, operator, port, number)


def _confirm(
    console: Console, home: Path, operator: str | None, port: str | None, number: str
) -> Json:
    from posctl.field.confirm import confirm as confirm_order

    order = find_in_place(console, home, number)[1]
    if order.state not in (State.EFFECTIVE, State.CLOSED):
        raise CheckFailed("order.not_effective", order=number, state=str(order.state))
    session = field_session(console, home, operator)
    address = port or order.address
    confirmed = confirm_order(session, number, address)
    return {
        **order_view(confirmed.order),
        "serial_bytes": confirmed.serial_bytes,
        "next": what_next(confirmed.order),
    }


@command(change, "resume", "help.change.resume")
@_means_options(shop_option)
@_wait_option
@operator_option
@home_option
@order_argument
def resume(
    console: Console,
    home: Path,
    operator: str | None,
    wait: float | None,
    number: str,
    shop: str | None,
    card_wait: float,
    **means: Any,
) -> Json:
    place, order = find_in_place(console, home, number)
    say_found(console, order)
    if place.holder is Holder.OFFICE:
        if order.state is State.PROPOSED:
            raise CheckFailed("order.not_approved", order=number)
        return _commit(console, home, operator, wait, number)
    if order.state in (State.EFFECTIVE, State.CLOSED):
        return _confirm(console, home, operator, means["port"], number)
    return _field_resume(
        console, home, operator, number, shop, {**means, "card_wait": card_wait}
    )
