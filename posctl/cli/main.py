"""The root command. It imports a command's file only when that command runs."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from posctl import __version__
from posctl.cli.messages import _

SCHEMA = "posctl/1"
"""Of what ``--json`` prints."""

COMMANDS: dict[str, str] = {
    "setup": "posctl.cli.setup:setup",
    "demo": "posctl.cli.demo:demo",
    "emulate": "posctl.cli.emulate:emulate",
    "merchant": "posctl.cli.merchant:merchant",
    "change": "posctl.cli.change:change",
    "orders": "posctl.cli.orders:orders",
    "receipt": "posctl.cli.receipt:receipt",
}
"""Command name -> where it is. Its help line is the message ``help.NAME``."""

_INTERRUPTED, _TERMINATED = 130, 143


class LazyGroup(click.Group):
    """Lists its commands from the table, without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _colon, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _(f"help.{name}")) for name in COMMANDS])


@click.group(cls=LazyGroup, help=_("help.posctl"))
@click.version_option(__version__, prog_name="posctl")
def posctl() -> None:
    """The root; each command has its own options."""


class Terminated(BaseException):
    """SIGTERM: leave at once, as Ctrl-C does; the event log knows how far we were."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the design's exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run(arguments))


def _show_as_json(error: click.ClickException) -> None:
    """One object on stdout, also for what click itself refuses."""
    import json

    shown = {
        "code": "usage",
        "exit_code": error.exit_code,
        "text": error.format_message(),
        "next": "posctl --help",
        "params": {},
    }
    whole = {"schema": SCHEMA, "command": "", "ok": False, "error": shown}
    click.echo(json.dumps(whole, ensure_ascii=False, indent=2))


def _run(arguments: list[str] | None) -> int:
    try:
        code = posctl.main(arguments, prog_name="posctl", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        if "--json" in (arguments if arguments is not None else sys.argv):
            _show_as_json(error)
        else:
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(_("error.interrupted"), err=True)
        return _INTERRUPTED
    except Terminated:
        click.echo(_("error.interrupted"), err=True)
        return _TERMINATED
    return code if isinstance(code, int) else 0
