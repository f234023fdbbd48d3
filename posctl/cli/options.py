"""Options and arguments that several commands have, and the shapes of what is typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posctl.cli.settings import default_home
from posctl.cli.text.messages import _

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECONDS = click.FloatRange(0, 86400)


class _Shaped(click.ParamType[str]):
    """A text of a known shape. A wrong one is not quoted: it may be a card number."""

    shape: re.Pattern[str]
    message: str

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value).strip().upper()
        if not self.shape.fullmatch(text):
            self.fail(self.message, param, ctx)
        return text


class OrderNumber(_Shaped):
    """As ``posctl orders list`` shows them; small letters will do."""

    name = "order"
    shape = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{5}")
    message = _("usage.order")


class MerchantNumber(_Shaped):
    name = "mid"
    shape = re.compile(r"[0-9A-Z]{1,20}")
    message = _("usage.mid")


def complete(what: str) -> Callable[..., list[CompletionItem]]:
    """Words for a shell, found when it asks: a source of ``completing``."""

    def find(ctx: click.Context, _param: Any, begun: str) -> list[CompletionItem]:
        from posctl.cli import completing

        return completing.words(what, ctx, begun)

    return find


home_option = click.option(
    "--home",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="POSCTL_HOME",
    default=default_home,
    show_default=_("option.home.default"),
    help=_("option.home"),
)
"""The folder of the set-up."""

operator_option = click.option(
    "--operator",
    metavar="NAME",
    envvar="POSCTL_OPERATOR",
    help=_("option.operator"),
)
"""Who is at work."""

shop_option = click.option(
    "--shop",
    metavar="NAME",
    envvar="POSCTL_SHOP",
    is_eager=True,  # the defaults of the others ask for it
    help=_("option.shop"),
    shell_complete=complete("shops"),
)
"""Whose port, reader, pictures and merchant are taken."""

port_option = click.option(
    "--port",
    metavar="PORT",
    envvar="POSCTL_PORT",
    help=_("option.port"),
    shell_complete=complete("ports"),
)
"""Where the terminal is."""

reader_option = click.option(
    "--reader",
    metavar="NAME",
    envvar="POSCTL_READER",
    help=_("option.reader"),
    shell_complete=complete("readers"),
)
"""Where the card is."""

wait_card_option = click.option(
    "--wait-card",
    "card_wait",
    metavar="SECONDS",
    type=SECONDS,
    default=20.0,
    show_default=True,
    help=_("option.wait_card"),
)
"""How long a card may take to be inserted."""

merchant_option = click.option(
    "--merchant",
    metavar="MID",
    type=MerchantNumber(),
    envvar="POSCTL_MERCHANT",
    help=_("option.merchant"),
)
"""Whose terminal it must be."""

order_argument = click.argument(
    "number",
    metavar="ORDER",
    type=OrderNumber(),
    shell_complete=complete("orders"),
)
"""The ORDER that a command is about."""

key_argument = click.argument("key", metavar="KEY", shell_complete=complete("keys"))
"""A key of the settings."""


def output_option(help_id: str) -> Callable[..., Any]:
    """``--output``: where a file is written."""
    return click.option(
        "--output",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help=_(help_id),
    )
