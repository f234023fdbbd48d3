"""The command line as a process, in a language and a width; all its commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
from schemas import check
from world import Site

from posctl.cli.root import posctl
from posctl.cli.settings import Settings


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        return check(json.loads(self.out))

    @property
    def result(self) -> dict[str, Any]:
        assert self.code == 0, self.err + self.out
        return dict(self.data["result"])

    @property
    def error(self) -> dict[str, Any]:
        return dict(self.data["error"])


_HIS_OWN = ("POSCTL_", "LC_", "LANG", "NO_COLOR", "COLUMNS", "PYTHON")


def clean_environment(**more: str) -> dict[str, str]:
    """Nothing of whoever runs the tests: no language, settings, colours, no habits of
    his Python, as an unbuffered stdout."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_HIS_OWN)
    }
    return {**kept, "LANG": "C.UTF-8", "POSCTL_CONFIG": os.devnull, **more}


def run(
    *words: str, stdin: str = "", program: Sequence[str] = ("-m", "posctl"), **more: str
) -> Done:
    """One command; keyword arguments are variables of its environment."""
    done = subprocess.run(
        [sys.executable, *program, *words],
        input=stdin.encode(),
        capture_output=True,
        timeout=90,
        env=clean_environment(**more),
    )
    encoding = more.get("PYTHONIOENCODING", "utf-8")
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    out, err = out.replace("\r\n", "\n"), err.replace("\r\n", "\n")
    assert "Traceback" not in err, err
    return Done(done.returncode, out, err)


def of(site: Site) -> dict[str, str]:
    """The variables of a site: its set-up, its pcscd."""
    home = {"POSCTL_HOME": str(site.home)}
    return {**site.bench.environment, **site.environment, **home}


@cache
def every_command() -> tuple[tuple[str, ...], ...]:
    """The words of the root, of each group, of each command."""
    return tuple(_walk(_root(), posctl, ()))


def _no_settings() -> Settings:

    return Settings(Path(os.devnull))


def _walk(
    context: click.Context, command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _walk(context, found, (*words, name))


def parse(words: list[str]) -> str:
    """The command that these words are, its options checked by click."""
    context, command, taken = _root(), posctl, []
    rest = list(words)
    while isinstance(command, click.Group):
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, name
        taken.append(name)
        context = click.Context(found, info_name=name, parent=context)
        command = found
    own = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)}
    assert {w for w in rest if w.startswith("-")} <= own, words
    return " ".join(taken)


def _root() -> click.Context:
    return click.Context(posctl, info_name="posctl", obj=_no_settings())


_ALL_HELP = """
import json, sys
from posctl.cli import main
from posctl.cli.text import language
language.use(sys.argv[1])
import click
from pathlib import Path
from posctl.cli.root import posctl
from posctl.cli.settings import Settings

def show(context, command, words, found):
    found[" ".join(words)] = command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            under = command.get_command(context, name)
            made = under.context_class(
                under, info_name=name, parent=context, obj=context.obj)
            show(made, under, (*words, name), found)
    return found

root = posctl.context_class(posctl, info_name="posctl", obj=Settings(Path("/dev/null")))
print(json.dumps(show(root, posctl, (), {})))
"""


@cache
def all_help(lang: str, columns: int) -> dict[str, str]:
    """Command -> its help, all made in one process of that language and width."""
    done = run(lang, program=("-c", _ALL_HELP), COLUMNS=str(columns))
    assert done.code == 0, done.err
    return dict(json.loads(done.out))


def help_of(words: tuple[str, ...], lang: str, columns: int) -> str:
    return all_help(lang, columns)[" ".join(words)]


def on(site: Site, *words: str, stdin: str = "", **more: str) -> Done:
    """A command of the site as a process, as text."""
    return run(*words, stdin=stdin, **{**of(site), **more})


CONSOLES = {
    "json": {"POSCTL_LANG": "en"},
    "utf-8": {"POSCTL_LANG": "zh", "PYTHONIOENCODING": "utf-8"},
    "gbk": {"POSCTL_LANG": "zh", "PYTHONIOENCODING": "gbk"},
    "C": {
        "POSCTL_LANG": "zh",
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
    },
}
