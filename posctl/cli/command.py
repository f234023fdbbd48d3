"""What every command has: output options, settings, failures shown the same way."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posctl.cli.console import NORMAL, QUIET, VERBOSE, Console, start_log
from posctl.cli.grammar import Command
from posctl.cli.settings import Settings
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import LinkFailed, PosctlError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Body = Callable[..., Json]
Decorator = Callable[[Any], Any]


def command(
    group: click.Group | None, name: str, help_id: str, *, settings: bool = True
) -> Callable[[Body], Any]:
    """A click command around a function that takes a Console and returns data.

    Args:
        settings: end with what is wrong with the settings; `config` mends them.
    """

    def decorate(body: Body) -> click.Command:
        @wraps(body)
        def run(
            as_json: bool,
            quiet: bool,
            verbose: bool,
            log_file: Path | None,
            **options: Any,
        ) -> int:
            level = QUIET if quiet else VERBOSE if verbose else NORMAL
            color = click.get_current_context().find_root().params["color"]
            console = Console(_path(), as_json=as_json, level=level, color=color)
            try:
                if settings:
                    current_settings().usable()
                start_log(log_file, console)
                with console.working():
                    data = body(console, **options)
                console.result(data)
                return 0
            except BrokenPipeError:
                return _nobody_reads()
            except OSError as error:
                return console.failure(_system_failure(error))
            except PosctlError as failure:
                if "number" in options:  # for what to do next
                    failure.params.setdefault("order", options["number"])
                    if isinstance(failure, LinkFailed):
                        failure.params.setdefault("resume", options["number"])
                return console.failure(failure)

        made = click.command(name, cls=Command, help=_(help_id))(_output_options(run))
        made.params.sort(key=lambda param: param.name in _OUTPUT)  # own ones first
        if group is not None:
            group.add_command(made)
        return made

    return decorate


_OUTPUT = ("as_json", "quiet", "verbose", "log_file")


def _output_options(body: Any) -> Any:
    return options(
        click.option("--json", "as_json", is_flag=True, help=_("option.json")),
        click.option("-q", "--quiet", is_flag=True, help=_("option.quiet")),
        click.option("-v", "--verbose", is_flag=True, help=_("option.verbose")),
        click.option(
            "--log-file",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="POSCTL_LOG_FILE",
            help=_("option.log_file"),
        ),
    )(body)


def options(*given: Decorator) -> Decorator:
    """Several options, shown in the order given."""

    def decorate(body: Any) -> Any:
        for option in reversed(given):
            body = option(body)
        return body

    return decorate


def current_settings() -> Settings:
    """Of this run."""
    found: Settings = click.get_current_context().find_root().obj
    return found


def _nobody_reads() -> int:
    """As after ``| head``: no more output, and the code that a shell gives SIGPIPE."""
    sys.stdout = open(os.devnull, "w")
    return 141


def _system_failure(error: OSError) -> PosctlError:
    """A folder of somebody else, a full disk, a closed pipe: a line, no traceback."""
    reason = error.strerror or type(error).__name__
    return LinkFailed("system.refused", reason=reason, path=error.filename or "-")


def _path() -> str:
    """``change run``: the command without the program's name."""
    return click.get_current_context().command_path.partition(" ")[2]


def default_home() -> str:
    """Where the set-up is if nothing is said."""
    from platformdirs import user_data_dir

    return user_data_dir("posctl", appauthor=False)


def home_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--home``: the folder of the set-up."""
    return click.option(
        "--home",
        metavar="FOLDER",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="POSCTL_HOME",
        default=default_home,
        show_default=_("option.home.default"),
        help=_("option.home"),
    )(body)


def operator_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--operator``: who is at work."""
    return click.option(
        "--operator",
        metavar="NAME",
        envvar="POSCTL_OPERATOR",
        help=_("option.operator"),
    )(body)


def shop_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--shop``: whose port, reader, pictures and merchant are taken.

    Eager, so that the other options' defaults can ask for it.
    """
    return click.option(
        "--shop",
        metavar="NAME",
        envvar="POSCTL_SHOP",
        is_eager=True,
        help=_("option.shop"),
        shell_complete=_complete("shops"),
    )(body)


def port_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--port``: where the terminal is."""
    return click.option(
        "--port",
        metavar="PORT",
        envvar="POSCTL_PORT",
        help=_("option.port"),
        shell_complete=_complete("ports"),
    )(body)


def reader_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--reader``: where the card is."""
    return click.option(
        "--reader",
        metavar="NAME",
        envvar="POSCTL_READER",
        help=_("option.reader"),
        shell_complete=_complete("readers"),
    )(body)


def wait_card_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--wait-card``: seconds."""
    return click.option(
        "--wait-card",
        "card_wait",
        metavar="SECONDS",
        type=SECONDS,
        default=20.0,
        show_default=True,
        help=_("option.wait_card"),
    )(body)


def output_option(help_id: str) -> Callable[..., Any]:
    """``--output``: where a file is written."""
    return click.option(
        "--output",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help=_(help_id),
    )


def _complete(what: str) -> Callable[..., list[CompletionItem]]:
    """Words for a shell, found when it asks."""

    def find(ctx: click.Context, _param: Any, begun: str) -> list[CompletionItem]:
        from posctl.cli import completing

        return completing.words(what, ctx, begun)

    return find


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


SECONDS = click.FloatRange(0, 86400)


def merchant_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """``--merchant``: whose terminal it must be."""
    return click.option(
        "--merchant",
        metavar="MID",
        type=MerchantNumber(),
        envvar="POSCTL_MERCHANT",
        help=_("option.merchant"),
    )(body)


def order_argument(body: Callable[..., Any]) -> Callable[..., Any]:
    """The ORDER that a command is about."""
    return click.argument(
        "number",
        metavar="ORDER",
        type=OrderNumber(),
        shell_complete=_complete("orders"),
    )(body)
