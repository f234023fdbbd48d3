"""Options and arguments that several commands have, and the shapes of what is typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posctl.cli.settings import default_home
from posctl.cli.text.messages import _

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECONDS = click.FloatRange(0, 86400)
SUBJECTS = ("micro", "individual", "enterprise", "government", "other")


class _Shaped(click.ParamType[str]):
    """A text of a known shape. A wrong one is not quoted: it may be a card number."""

    shape: re.Pattern[str]
    message: str
    upper = True

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value).strip()
        text = text.upper() if self.upper else text
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


class PhoneNumber(_Shaped):
    """With or without country and area code; blanks, hyphens and brackets go."""

    name = "number"
    shape = re.compile(r"(\+|00)?[0-9]{5,18}")
    message = _("usage.phone")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        bare = re.sub(r"[ ()-]", "", str(value))
        return super().convert(bare, param, ctx) if bare else ""


class Yuan(_Shaped):
    """An amount, with at most two decimals."""

    name = "yuan"
    shape = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
    message = _("usage.yuan")


class Limit(_Shaped):
    """An amount, and the last day of one that is temporary."""

    name = "yuan"
    shape = re.compile(Yuan.shape.pattern + r"(:[0-9]{4}-[0-9]{2}-[0-9]{2})?")
    message = _("usage.limit")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = super().convert(value, param, ctx)
        _yuan, _colon, day = text.partition(":")
        try:
            _until = date.fromisoformat(day) if day else None
        except ValueError:
            self.fail(self.message, param, ctx)
        return text


class Reference(_Shaped):
    """What somebody else's desk calls a report; no long row of digits, which may be an
    account."""

    name = "text"
    shape = re.compile(r"(?!.*[0-9]{12})[0-9A-Za-z][0-9A-Za-z._/-]{0,63}")
    message = _("usage.reference")
    upper = False


class CreditCode(click.ParamType[str]):
    """A company's unified social credit code (GB 32100-2015), 18 characters. One whose
    check character is wrong is taken: some were issued so (R25)."""

    name = "code"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from stdnum.cn import uscc
        from stdnum.exceptions import InvalidChecksum, ValidationError

        code = str(uscc.compact(str(value)))
        if not code:
            return ""
        try:
            uscc.validate(code)
        except InvalidChecksum:
            pass
        except ValidationError:
            self.fail(_("usage.credit_code"), param, ctx)
        return code


class NewFile(click.Path):
    """One to be written, in a folder that is there: none is made by a slip of the pen.

    Args:
        dash: ``-`` is no file.
    """

    def __init__(self, *, dash: bool = False) -> None:
        super().__init__(dir_okay=False, allow_dash=dash, path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        path: Any = super().convert(value, param, ctx)
        if not path.parent.is_dir():
            self.fail(_("usage.folder", folder=path.parent), param, ctx)
        return path


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


class ShopName(_Shaped):
    """What people call a shop; never empty, as ``--shop "$UNSET"`` would be."""

    name = "shop"
    shape = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
    message = _("usage.shop_name")
    upper = False


def _known_shop(
    ctx: click.Context, _param: click.Parameter, shop: str | None
) -> str | None:
    """A misspelt shop must not mean the only port there is."""
    settings = ctx.obj
    if shop is None or shop in settings.shops or settings.failure:
        return shop
    known = ", ".join(settings.shops) or "-"
    raise click.BadParameter(_("usage.shop", shop=shop, known=known))


def _shop(help_id: str, **how: Any) -> Callable[..., Any]:
    return click.option(
        "--shop",
        metavar="NAME",
        type=ShopName(),
        envvar="POSCTL_SHOP",
        is_eager=True,  # the defaults of the others ask for it
        help=_(help_id),
        shell_complete=complete("shops"),
        **how,
    )


shop_option = _shop("option.shop", callback=_known_shop)
"""Whose port, reader, pictures and merchant are taken."""

new_shop_option = _shop("option.new_shop")
"""The same; one that is new will be remembered."""

# Variables of what a shop may say are looked up by ``settings.Defaults``: a shop that
# is typed counts before them.
port_option = click.option(
    "--port",
    metavar="PORT",
    help=_("option.port"),
    shell_complete=complete("ports"),
)
"""Where the terminal is."""

reader_option = click.option(
    "--reader",
    metavar="NAME",
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
    help=_("option.merchant"),
)
"""Whose terminal it must be."""

yes_option = click.option("-y", "--yes", is_flag=True, help=_("option.yes"))
"""The console takes it: no command sees whether it was given."""

order_argument = click.argument(
    "number",
    metavar="ORDER",
    type=OrderNumber(),
    shell_complete=complete("orders"),
)
"""The ORDER that a command is about."""

pictures_option = click.option(
    "--pictures",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help=_("option.pictures"),
)
"""The folder of the pictures."""

key_argument = click.argument("key", metavar="KEY", shell_complete=complete("keys"))
"""A key of the settings."""


root_option = click.option(
    "--root",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("option.root"),
)
"""The root's certificate: its public half."""


profile_option = click.option(
    "--profile",
    metavar="NAME",
    help=_("option.profile_read"),
)
"""Whose rules are read, where nothing is changed."""


def output_option(help_id: str) -> Callable[..., Any]:
    """``--output``: where a file is written."""
    return click.option(
        "--output",
        metavar="FILE",
        type=NewFile(),
        help=_(help_id),
    )


def order_file_option(help_id: str) -> Callable[..., Any]:
    """``--order-file``: where the office takes an order from."""
    return click.option(
        "--order-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help=_(help_id),
    )
