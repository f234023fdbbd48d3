"""`posctl approval`: the second person is elsewhere. A short request goes to him,
pasted through a messenger or scanned, and his signature comes back likewise (R30)."""

from __future__ import annotations

from pathlib import Path

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import home_option, operator_option, order_argument
from posctl.cli.people import office_session, signing_operator
from posctl.cli.qrcode import check_qr, qr_option, show_qr
from posctl.cli.views import order_view, what_next
from posctl.model.canonical import Json
from posctl.model.errors import UsageError

_LARGEST = 16 * 1024


@group("help.approval")
def approval() -> None:
    """The group; each command returns data."""


@command(approval, "request", "help.approval.request")
@qr_option
@operator_option
@home_option
@order_argument
def request(
    console: Console, home: Path, operator: str | None, number: str, qr: Path | None
) -> Json:
    from posctl.office.approve import ask_elsewhere

    check_qr(qr)
    text = ask_elsewhere(office_session(console, home, operator), number)
    console.tell("approval.send")
    shown = show_qr(console, text, qr)
    told = {"text": f"{text}\n", "next": "posctl approval sign FILE"}
    return {"order": number, **shown, **told}


@command(approval, "sign", "help.approval.sign")
@qr_option
@operator_option
@home_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def sign(
    console: Console, home: Path, operator: str | None, file: Path, qr: Path | None
) -> Json:
    """On the checker's own machine: needs his key, no store and no provider."""
    from posctl.office.approve import sign_elsewhere

    check_qr(qr)
    request = _read(file)
    who = signing_operator(console, home, operator)
    answer = sign_elsewhere(who, console, request)
    console.tell("approval.send_back")
    shown = show_qr(console, answer, qr)
    return {**shown, "text": f"{answer}\n", "next": "posctl approval take ORDER FILE"}


@command(approval, "take", "help.approval.take")
@operator_option
@home_option
@order_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def take(
    console: Console, home: Path, operator: str | None, number: str, file: Path
) -> Json:
    from posctl.office.approve import take_answer

    text = _read(file)
    order = take_answer(office_session(console, home, operator), number, text)
    console.tell("change.approved", order=number, name=order.approver)
    return {**order_view(order), "next": what_next(order)}


def _read(path: Path) -> str:
    """Raises UsageError ``armour.file``."""
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST:
            return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    raise UsageError("armour.file", path=str(path))
