"""What every command has: ``--json``, ``--home``, failures shown the same way."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from posctl.cli.console import Console
from posctl.cli.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import LinkFailed, PosctlError

Body = Callable[..., Json]


def command(
    group: click.Group | None, name: str, help_id: str
) -> Callable[[Body], Any]:
    """A click command around a function that takes a Console and returns data."""

    def decorate(body: Body) -> click.Command:
        @wraps(body)
        def run(as_json: bool, **options: Any) -> int:
            console = Console(_path(), as_json=as_json)
            try:
                with console.working():
                    data = body(console, **options)
                console.result(data)
                return 0
            except OSError as error:
                return console.failure(_system_failure(error))
            except PosctlError as failure:
                if "number" in options:  # for what to do next
                    failure.params.setdefault("order", options["number"])
                    if isinstance(failure, LinkFailed):
                        failure.params.setdefault("resume", options["number"])
                return console.failure(failure)

        json_option = click.option(
            "--json", "as_json", is_flag=True, help=_("option.json")
        )
        made = click.command(name, help=_(help_id))(json_option(run))
        if group is not None:
            group.add_command(made)
        return made

    return decorate


def _system_failure(error: OSError) -> PosctlError:
    """A folder of somebody else, a full disk, a closed pipe: a line, no traceback."""
    reason = error.strerror or type(error).__name__
    return LinkFailed("system.refused", reason=reason, path=error.filename or "-")


def _path() -> str:
    """``change run``: the command without the program's name."""
    return click.get_current_context().command_path.partition(" ")[2]


def _default_home() -> str:
    from platformdirs import user_data_dir

    return user_data_dir("posctl", appauthor=False)


def home_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--home``: the folder of the set-up."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="POSCTL_HOME",
        default=_default_home,
        show_default=_("option.home.default"),
        help=_("option.home"),
    )(body)


def operator_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--operator``: who is at work."""
    return click.option(
        "--operator", envvar="POSCTL_OPERATOR", help=_("option.operator")
    )(body)


def port_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--port``: where the terminal is."""
    return click.option("--port", envvar="POSCTL_PORT", help=_("option.port"))(body)


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
    """As ``posctl orders`` shows them; small letters will do."""

    name = "order"
    shape = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{5}")
    message = _("usage.order")


class MerchantNumber(_Shaped):
    name = "mid"
    shape = re.compile(r"[0-9A-Z]{1,20}")
    message = _("usage.mid")


SECONDS = click.FloatRange(0, 86400)


def order_argument(body: Callable[..., Any]) -> Callable[..., Any]:
    """The ORDER that a command is about."""
    return click.argument("number", metavar="ORDER", type=OrderNumber())(body)
