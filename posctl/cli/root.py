"""The root command. It imports a command's file only when that command runs."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import click

from posctl.cli.grammar import Group
from posctl.cli.settings import SETTINGS, Defaults, Settings
from posctl.cli.text.messages import _
from posctl.model.errors import UsageError

COMMANDS: dict[str, str] = {
    "list": "posctl.cli.list:list_devices",
    "terminal": "posctl.cli.terminal:terminal",
    "card": "posctl.cli.card:card",
    "binding": "posctl.cli.binding:binding",
    "change": "posctl.cli.change:change",
    "approval": "posctl.cli.approval:approval",
    "orders": "posctl.cli.orders:orders",
    "receipt": "posctl.cli.receipt:receipt",
    "audit": "posctl.cli.audit:audit",
    "outbox": "posctl.cli.outbox:outbox",
    "report": "posctl.cli.report:report",
    "merchant": "posctl.cli.merchant:merchant",
    "profile": "posctl.cli.profile:profile",
    "operator": "posctl.cli.operator:operator",
    "setup": "posctl.cli.setup:setup",
    "config": "posctl.cli.config:config",
    "explain": "posctl.cli.explain:explain",
    "completion": "posctl.cli.completion:completion",
    "demo": "posctl.cli.demo:demo",
    "emulate": "posctl.cli.emulate:emulate",
}
"""Command name -> where it is. Its help line is the message ``help.NAME``."""

_COMPLETE = "_POSCTL_COMPLETE"


class Root(Group):
    """Lists its commands from the table, without importing them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.default_map = Defaults(ctx.obj, ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _colon, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """click looks for names that are near in a table of its own."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=COMMANDS, ctx=ctx
            ) from None

    def command_rows(self, ctx: click.Context) -> list[tuple[str, str]]:
        return [(name, _(f"help.{name}")) for name in COMMANDS]


def _show_version(ctx: click.Context, _parameter: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from posctl.cli.versions import report

        click.echo(report(ctx.obj))
        ctx.exit()


@click.group(cls=Root, help=_("help.posctl"))
@click.option(
    "--lang",
    type=click.Choice(SETTINGS["lang"].choices),
    envvar="POSCTL_LANG",
    expose_value=False,
    help=_("option.lang"),
)
@click.option(
    "--config",
    metavar="FILE",
    envvar="POSCTL_CONFIG",
    expose_value=False,
    help=_("option.config"),
)
@click.option(
    "--color",
    type=click.Choice(SETTINGS["color"].choices),
    envvar="POSCTL_COLOR",
    default="auto",
    help=_("option.color"),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help=_("option.version"),
)
def posctl(color: str) -> None:
    """The root; each command has its own options."""


def run(words: list[str], settings: Settings) -> int:
    """Run a command line; its exit code."""
    if _COMPLETE in os.environ:  # a shell asks: ours must be known to click
        import_module("posctl.cli.completion")
    try:
        code = posctl.main(words, "posctl", standalone_mode=False, obj=settings)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _refused(error, words)
    except click.Abort as abort:
        interrupt = KeyboardInterrupt()
        for source in (abort, abort.__cause__, abort.__context__):
            for note in getattr(source, "__notes__", ()):
                interrupt.add_note(note)
        raise interrupt from None
    return code if isinstance(code, int) else 0


def _refused(error: click.ClickException, words: list[str]) -> int:
    """What click itself refuses, shown as every other failure is."""
    from posctl.cli.console import Console
    from protocols.sensitive import masked_text

    context = getattr(error, "ctx", None)
    path = context.command_path if context else "posctl"
    reason = masked_text(" ".join(error.format_message().split()))
    failure = UsageError("usage", reason=reason, help=f"{path} --help")
    console = Console(path.partition(" ")[2], as_json="--json" in words)
    return console.failure(failure)
