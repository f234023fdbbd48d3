"""The line that says what is being waited for, and for how long."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress

import click

from posctl.cli.text.messages import _
from posctl.model.cells import cells

_QUIET_SECONDS = 1.9


def echo_err(text: str, *, nl: bool = True, color: bool | None = None) -> None:
    """Say it on stderr. That nobody is there to read it stops nothing: the terminal may
    be settling."""
    with suppress(OSError, ValueError):
        click.echo(text, err=True, nl=nl, color=color)


class Ticker:
    """A daemon thread that speaks when nothing else was said for two seconds.

    On a terminal its line is written over the one before; in a pipe each is a line.

    Args:
        quiet: never speak: the person asked for silence.
    """

    def __init__(self, label: str, *, quiet: bool = False) -> None:
        self._label = label
        self.mark = ""
        self._since = self._last = time.monotonic()
        self._quiet = 1 if quiet else 0
        self._shown = 0
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
        """Something else is about to be said: off with the line."""
        with self._lock:
            self._last = time.monotonic()
            self._wipe()

    def __enter__(self) -> Ticker:
        threading.Thread(target=self._run, name="ticker", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self.spoke()

    def silent(self) -> _Silence:
        """While a person is asked."""
        return _Silence(self)

    def hush(self, change: int) -> None:
        with self._lock:
            self._quiet += change
            self._since = self._last = time.monotonic()
            self._wipe()

    def _run(self) -> None:
        while not self._end.wait(0.1):
            with self._lock:
                if self._quiet or time.monotonic() - self._last < _QUIET_SECONDS:
                    continue
                seconds = time.monotonic() - self._since
                self._show(
                    _("wait.elapsed", label=self._label, seconds=f"{seconds:.0f}")
                )
                self._last = time.monotonic()

    def _show(self, line: str) -> None:
        line = f"{self.mark}  {line}"
        if not sys.stderr.isatty():
            echo_err(line)
            return
        self._wipe()
        echo_err(line, nl=False)
        self._shown = cells(line)

    def _wipe(self) -> None:
        if self._shown:
            echo_err(f"\r{' ' * self._shown}\r", nl=False)
            self._shown = 0


class _Silence:
    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker

    def __enter__(self) -> None:
        self._ticker.hush(+1)

    def __exit__(self, *_error: object) -> None:
        self._ticker.hush(-1)
