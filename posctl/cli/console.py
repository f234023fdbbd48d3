"""What a person sees: data on stdout, everything else on stderr (R43).

The console is the ``Person`` that field and office talk to. Whatever is being done,
a line with the elapsed time appears at least every two seconds.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from posctl.cli.failures import describe
from posctl.cli.main import SCHEMA
from posctl.cli.messages import _, plain
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, Declined, PosctlError

T = TypeVar("T")
ASKS = "? "
"""How a question begins where stdin is not a terminal."""
_TRIES = 3
_QUIET_SECONDS = 1.9


class Console:
    """Tells and asks on stderr, prints results on stdout.

    Args:
        as_json: results and failures as one JSON object instead of text.
    """

    def __init__(self, command: str, *, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json
        self._ticker = Ticker(_("wait.work"))

    # -- Person ----------------------------------------------------------------

    def tell(self, message: str, **params: object) -> None:
        self._ticker.label = _("wait.work")
        self._say(f"  {_(message, **params)}")

    def waiting(self, message: str, **params: object) -> None:
        self._ticker.label = _(message, **params)

    def ask(self, question: str, check: Callable[[str], T], *, secret: bool) -> T:
        for _try in range(_TRIES):
            answer = self._read(_(question), secret=secret)
            try:
                return check(answer)
            except CheckFailed as failure:
                self.tell_failure(failure)
        raise Declined("person.no_answer", question=_(question))

    def confirm(self, question: str, word: str, **params: object) -> None:
        self._say(_(question, **params))
        if self._read(_("ask.word", word=word), secret=False).strip() != word:
            raise Declined("person.declined", word=word)

    def tell_failure(self, failure: PosctlError) -> None:
        """One that will be asked again."""
        self._say(f"  {describe(failure)['text']}")

    # -- asking ----------------------------------------------------------------

    def new_passphrase(self, name: str, *, least: int) -> str:
        question = _("ask.new_passphrase", name=name, least=least)
        return self._read(question, secret=True)

    def passphrase(self, name: str, *, again: bool = False) -> str:
        question = _("ask.passphrase", name=name)
        return self._read(
            _("ask.again", question=question) if again else question, secret=True
        )

    def _read(self, question: str, *, secret: bool) -> str:
        with self._ticker.silent():
            if sys.stdin.isatty():
                forget_what_was_typed_ahead()
                typed = click.prompt(question, hide_input=secret, err=True)
                return str(typed)
            click.echo(f"{ASKS}{question}:", err=True)
            line = sys.stdin.readline()
        if not line:
            raise Declined("person.no_answer", question=question)
        return line.rstrip("\r\n")

    def _say(self, text: str) -> None:
        self._ticker.spoke()
        click.echo(wrapped(text), err=True)

    # -- the end of a command --------------------------------------------------

    def working(self) -> Ticker:
        return self._ticker

    def result(self, data: Json) -> None:
        if not data:
            return
        if self.as_json:
            self._print_json({"ok": True, "result": data})
        else:
            print_text(data)

    def failure(self, failure: PosctlError) -> int:
        """Show it; its exit code."""
        shown = describe(failure)
        if self.as_json:
            self._print_json({"ok": failure.exit_code == 0, "error": shown})
        else:
            click.echo(wrapped(f"{_failure_word(failure)} {shown['text']}"), err=True)
            if shown["next"]:
                click.echo(wrapped(f"next: {shown['next']}"), err=True)
        return failure.exit_code

    def _print_json(self, data: Json) -> None:
        whole = {"schema": SCHEMA, "command": self.command, **data}
        click.echo(json.dumps(whole, ensure_ascii=False, indent=2))


def _failure_word(failure: PosctlError) -> str:
    return _("word.note") if failure.exit_code == 0 else f"posctl: {failure.code}:"


def forget_what_was_typed_ahead() -> None:
    """A confirmation must be typed after its question was shown."""
    try:
        import termios
    except ImportError:  # Windows
        import msvcrt

        while msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
            msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
    else:
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def wrapped(text: str) -> str:
    """Wrapped at words for a person's terminal; in a pipe a line stays a line."""
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns - 1
    return "\n".join(
        textwrap.fill(
            line,
            width,
            subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        if line.strip()
        else line
        for line in text.split("\n")
    )


class Ticker:
    """A daemon thread that speaks when nothing else was said for two seconds."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._since = self._last = time.monotonic()
        self._quiet = 0
        self._end = threading.Event()
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        return self._label

    @label.setter
    def label(self, text: str) -> None:
        with self._lock:
            self._label, self._since = text, time.monotonic()

    def spoke(self) -> None:
        self._last = time.monotonic()

    def __enter__(self) -> Ticker:
        threading.Thread(target=self._run, name="ticker", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()

    def silent(self) -> _Silence:
        """While a person is asked."""
        return _Silence(self)

    def hush(self, change: int) -> None:
        with self._lock:
            self._quiet += change
            self._since = self._last = time.monotonic()

    def _run(self) -> None:
        while not self._end.wait(0.1):
            with self._lock:
                if self._quiet or time.monotonic() - self._last < _QUIET_SECONDS:
                    continue
                seconds = time.monotonic() - self._since
                line = _("wait.elapsed", label=self._label, seconds=f"{seconds:.0f}")
            self.spoke()
            click.echo(f"  {line}", err=True)


class _Silence:
    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker

    def __enter__(self) -> None:
        self._ticker.hush(+1)

    def __exit__(self, *_error: object) -> None:
        self._ticker.hush(-1)


def print_text(data: Json) -> None:
    """A result as text: lines of label and value, lists of objects as tables."""
    plain = {k: v for k, v in data.items() if v is not None and not _is_table(v)}
    if plain:
        width = max(len(_label(name)) for name in plain)
        for name, value in plain.items():
            click.echo(f"{_label(name):<{width}}  {_shown(value)}")
    for name, value in data.items():
        if _is_table(value):
            _print_table(name, value)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _label(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={item}" for name, item in value.items())
    return "-" if value in (None, "", []) else plain(value)


_WHOLE = ("order", "state", "position")  # what people copy
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z")


def _in_a_cell(value: object) -> str:
    """Times to the minute: the seconds are in the JSON."""
    return _STAMP.sub(r"\1 \2Z", _shown(value))


def _print_table(name: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    if not rows:
        click.echo(_("table.empty", name=_label(name)))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in rows[0]:
        table.add_column(_label(column), overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        table.add_row(*(Text(_in_a_cell(value)) for value in row.values()))
    width = None if sys.stdout.isatty() else 200
    RichConsole(width=width, highlight=False).print(table)
