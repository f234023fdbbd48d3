"""The grammar: ``posctl NOUN VERB [OPTIONS] [WHAT]``. Nouns are groups.

`list`, `setup`, `completion`, `demo` and `emulate` stand alone: they have no noun.
"""

from __future__ import annotations

from collections.abc import Callable

import click

from posctl.cli.layout import Formatter
from posctl.cli.settings import Defaults
from posctl.cli.text.examples import EXAMPLES
from posctl.cli.text.messages import _


class _Context(click.Context):
    formatter_class = Formatter


class Command(click.Command):
    """Takes from the settings what is not given; shows examples."""

    context_class = _Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.default_map = Defaults(ctx.obj, ctx)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        examples = EXAMPLES.get(ctx.command_path.partition(" ")[2])
        if examples:
            with formatter.section(_("help.examples")):
                for line in examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class Group(click.Group):
    """A noun: lists its verbs with their whole help."""

    context_class = _Context

    def command_rows(self, ctx: click.Context) -> list[tuple[str, str]]:
        return [(name, found.help or "") for name, found in self.commands.items()]

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section(_("help.commands")):
            formatter.write_dl(self.command_rows(ctx))


def group(help_id: str) -> Callable[[Callable[[], None]], Group]:
    """A group of verbs."""

    def decorate(body: Callable[[], None]) -> Group:
        return click.group(cls=Group, help=_(help_id))(body)

    return decorate
