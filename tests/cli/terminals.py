"""A real terminal: tmux, on a server of its own, that types and reads the screen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_runs import clean_environment


class Screen:
    """One window of ``columns`` cells. ``history`` is all that scrolled by."""

    def __init__(self, server: str, columns: int) -> None:
        self._server = server
        self.columns = columns

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._server, *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        """Keys by tmux's names (``Enter``, ``Tab``), or text as it is."""
        self.tmux("send-keys", *keys)

    def line(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)
        self.type("Enter")

    def shown(self) -> str:
        return self.tmux("capture-pane", "-p", "-S", "-")

    def colored(self) -> str:
        """With its escape sequences."""
        return self.tmux("capture-pane", "-p", "-e", "-S", "-")

    def until(self, pattern: str, seconds: float = 20.0) -> str:
        """The screen once ``pattern`` is on it."""
        end = time.monotonic() + seconds
        while not re.search(pattern, shown := self.shown(), re.MULTILINE):
            assert time.monotonic() < end, f"{pattern!r} is not on:\n{shown}"
            time.sleep(0.05)
        return shown


@contextmanager
def screen(shell: list[str], columns: int, **more: str) -> Iterator[Screen]:
    """A window that runs ``shell``; skipped where there is no such program."""
    for program in ("tmux", shell[0]):
        if shutil.which(program) is None:
            assert os.environ.get("CI") != "true", f"no {program}"
            pytest.skip(f"no {program}: .ci/setup test installs it")
    server = f"posctl-test-{uuid.uuid4().hex[:8]}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = clean_environment(**{"PATH": path, "TERM": "xterm-256color", **more})
    size = ["-x", str(columns), "-y", "60"]
    start = ["tmux", "-L", server, "-f", os.devnull, "-u", "new-session", "-d", *size]
    subprocess.run([*start, *shell], check=True, env=given, timeout=20)
    try:
        yield Screen(server, columns)
    finally:
        subprocess.run(["tmux", "-L", server, "kill-server"], check=False)
