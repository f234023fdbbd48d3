"""`make docs`: the man pages, from the help. They are installed with the wheel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click_man.core import generate_man_page

from posctl import __version__
from posctl.cli.root import posctl as root_command
from posctl.cli.settings import SETTINGS, Settings, variable
from posctl.cli.text.examples import EXAMPLES

FOLDER = Path(__file__).resolve().parent / "man"
_DATE = "2026-11-25"
_ROOT = Path(__file__).resolve().parent.parent

_EXIT_CODES = re.compile(r"^\| (\d+(?:, \d+)?) \| ([^|]+) \|$", re.MULTILINE)
"""The rows of the README's table."""


def pages() -> dict[str, str]:
    """File name -> page."""
    root = click.Context(root_command, info_name="posctl", obj=Settings(Path("-")))
    return {
        f"{context.command_path.replace(' ', '-')}.1": _page(context)
        for context in _contexts(root)
    }


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            found = context.command.get_command(context, name)
            if found is not None:
                yield from _contexts(
                    click.Context(found, info_name=name, parent=context)
                )


def _page(context: click.Context) -> str:
    context.command.short_help = context.command.help  # whole, not its first words
    page = generate_man_page(context, version=__version__, date=_DATE)
    page += "".join(_more(context))
    return page.replace("\n'", "\n\\&'").replace("\n.posctl", "\n\\&.posctl")


def _more(context: click.Context) -> Iterator[str]:
    if examples := EXAMPLES.get(context.command_path.partition(" ")[2]):
        lines = "\n".join(_escaped(line) for line in examples)
        yield f".SH EXAMPLES\n.nf\n{lines}\n.fi\n"
    if context.parent is not None:
        yield ".SH SEE ALSO\n.BR posctl (1)\n"
        return
    yield ".SH COMMANDS\n"
    for name, told in root_command.command_rows(context):
        yield f".TP\n.B {name}\n{_escaped(told)} See posctl\\-{name}(1).\n"
    yield ".SH EXIT STATUS\n"
    for code, meaning in exit_codes():
        yield f".TP\n.B {code}\n{_escaped(meaning)}\n"
    yield ".SH ENVIRONMENT\n"
    for key in SETTINGS:
        yield f".TP\n.B {variable(key)}\nthe setting {key}; see posctl\\-config(1)\n"
    yield ".TP\n.B POSCTL_CONFIG\nthe settings file\n"
    yield ".TP\n.B NO_COLOR\nno colours, whatever it is set to\n"


def exit_codes() -> list[tuple[str, str]]:
    """Code and meaning, from the one table there is."""
    return _EXIT_CODES.findall((_ROOT / "README.md").read_text("utf-8"))


def _escaped(text: str) -> str:
    """For roff: hyphens are minus signs, backquotes nothing, no line a request."""
    made = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{made}" if made[:1] in ".'" else made


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.1"):
        old.unlink()
    for name, page in pages().items():
        (FOLDER / name).write_text(page, "utf-8")


if __name__ == "__main__":
    main()
