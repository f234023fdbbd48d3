"""Commands as processes that are talked to line by line, and how failures look."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas import check
from world import Ran, Site

from emulator.bench import MID, OLD_NUMBER, Bench

# Published test numbers; see docs/test-data.md. The first fails its check digit.
BAD_CHECK_DIGIT, OTHER_NUMBER = "6222040000030012", "6212345678900028"
LI, WANG = "words of li for the test", "words of wang for the test"
PHRASES = ("words of root for the test",) * 2 + (LI,) * 2 + (WANG,) * 2
LONGEST = 60.0


@dataclass
class Talked:
    """How a command ended. ``lines`` holds stderr with the second each line came."""

    code: int
    out: str
    lines: list[tuple[float, str]]
    seconds: float

    @property
    def err(self) -> str:
        return "\n".join(line for _at, line in self.lines)

    @property
    def data(self) -> dict[str, Any]:
        return check(json.loads(self.out)) if self.out else {}

    def ran(self) -> Ran:
        return Ran(self.code, self.data, self.err)


@dataclass
class Command:
    """A command of posctl as a process. ``watch`` is called while it waits."""

    site: Site
    arguments: Sequence[str]
    answers: Iterable[str] = ()
    watch: Callable[[int], None] = lambda pid: None
    program: Sequence[str] = ("-m", "posctl")
    lines: list[tuple[float, str]] = field(default_factory=list)

    def start(self) -> Command:
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *self.program, *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self.site),
        )
        return self

    def finish(self) -> Talked:
        """Answer every question in turn, until it ends; killed after a minute."""
        timer = threading.Timer(LONGEST, self.process.kill)
        timer.start()
        try:
            with self.process as process:
                self._talk(process, deque(self.answers))
                assert process.stdout
                out = process.stdout.read()
                code = process.wait()
        finally:
            timer.cancel()
        return Talked(code, out, self.lines, time.monotonic() - self._started)

    def until(self, text: str) -> None:
        """Read stderr as far as a line with ``text``."""
        assert self.process.stderr
        for line in self.process.stderr:
            self._note(line)
            if text in line:
                return
        raise AssertionError(f"never said: {text}")

    def _talk(self, process: subprocess.Popen[str], answers: deque[str]) -> None:
        assert process.stdin and process.stderr
        self.watch(process.pid)
        for line in process.stderr:
            self._note(line)
            if not line.startswith("? "):
                continue
            self.watch(process.pid)
            if answers:
                process.stdin.write(answers.popleft() + "\n")
                process.stdin.flush()
            else:
                process.stdin.close()

    def _note(self, line: str) -> None:
        self.lines.append((time.monotonic() - self._started, line.rstrip("\n")))


def environment(site: Site) -> dict[str, str]:
    return {
        **os.environ,
        **site.bench.environment,
        **site.environment,
        "POSCTL_HOME": str(site.home),
    }


def talk(site: Site, *arguments: str, answers: Iterable[str] = ()) -> Talked:
    return Command(site, arguments, answers).start().finish()


def setup_options(bench: Bench, *people: str) -> list[str]:
    technician, approver = people or ("li", "wang")
    return [
        *("setup", "--technician", technician, "--approver", approver),
        *("--profile", "emulator", "--provider-url", bench.url),
        *("--provider-ca", str(bench.ca_file)),
        *("--credentials", str(bench.credentials_file)),
    ]


def guarded_site(bench: Bench, home: Path) -> Site:
    """A set-up whose keys rest under passphrases, with no terminal list yet."""
    site = Site(bench, home)
    site.run(*setup_options(bench), answers=PHRASES).ok()
    return site


# -- what a failure must look like ---------------------------------------------


def failed(ran: Ran, code: str, exit_code: int) -> dict[str, Any]:
    """The error of a command that failed as it should: cause, remedy, no traceback."""
    assert "Traceback" not in ran.err, ran.err
    error = ran.error
    assert (error["code"], ran.code) == (code, exit_code), ran.err
    assert error["exit_code"] == exit_code
    assert ran.data["ok"] is (exit_code == 0)
    assert error["next"] or code == "account.same"
    for text in (error["text"], error["next"]):
        assert not re.search(r"<\w+>|\{|None", text), text
    return error


def untouched(site: Site) -> None:
    """Ledger and terminal as they were before anything was asked for."""
    assert (site.account(), site.version(), site.signed()) == (OLD_NUMBER, 1, 0)
    core = site.bench.terminal.core
    assert (core.batch, core.count) == (1, len(site.bench.scenario.transactions))
    tag = core.binding_tag()
    assert tag is None or tag.version == 1


def applications(site: Site) -> int:
    with site.bench.ledger.locked() as ledger:
        return len(ledger.applications)


def pay_to(site: Site, number: str) -> None:
    """The provider's record moves, behind everybody's back."""
    with site.bench.ledger.locked() as ledger:
        ledger.merchants[MID].account = number
