"""`posctl demo`: one whole change, by the commands that people type.

Each step is a process of its own, so nothing is shared between field and office but
the order file, and nothing between posctl and the outsiders but the wires.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from emulator import bench as benches
from emulator.bench import Bench, Scenario
from posctl.cli.command import command
from posctl.cli.console import ASKS, Console
from posctl.cli.emulate import scenario_options
from posctl.cli.settings import CONFIG, PREFIX, variable
from posctl.cli.text.messages import _, label
from posctl.model.canonical import Json
from posctl.model.cells import padded
from posctl.model.errors import PosctlError
from protocols.sensitive import mask

_COUNTED = ("apdus", "serial_bytes")


@command(None, "demo", "help.demo")
@scenario_options
@click.option(
    "--directory",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help=_("option.directory"),
)
def demo(console: Console, directory: Path | None, **scenario: Any) -> Json:
    with tempfile.TemporaryDirectory(prefix="posctl-demo-") as temporary:
        folder = directory or Path(temporary)
        with Bench(folder / "bench", Scenario(**scenario)) as bench:
            with console.working().silent():
                return Demo(bench, folder / "home").play()


class Demo:
    """The steps, and what they counted."""

    def __init__(self, bench: Bench, home: Path) -> None:
        self.bench = bench
        self.home = home
        self.counted: Counter[str] = Counter()
        self.number = ""
        self._step = 0

    def play(self) -> Json:
        """Every step; the figures at the end.

        Raises:
            PosctlError: ``demo.step`` when a command ended otherwise than it should.
        """
        self._begin()
        self._set_up()
        started = time.monotonic()
        self._change()
        seconds = time.monotonic() - started
        self._title("demo.receipt")
        self._run("receipt", "show", self.number)
        self._outsiders()
        return {
            "order": self.number,
            "seconds": round(seconds, 2),
            "apdus": self.counted["apdus"],
            "serial_bytes": self.counted["serial_bytes"],
            "pcscd": self.bench.no_pcscd is None,
        }

    def _begin(self) -> None:
        self._title("demo.bench")
        for name, value in self.bench.connect_to().items():
            if isinstance(value, str):
                _say(f"   {padded(label(name), 22)}{value}")
        if self.bench.no_pcscd:
            _say("   " + _("demo.direct", reason=self.bench.no_pcscd))

    def _set_up(self) -> None:
        bench = self.bench
        self._title("demo.setup")
        people = ["--technician", "li", "--approver", "wang"]
        self._run(
            "setup",
            *("--test", *people, "--profile", "emulator"),
            *("--provider-url", bench.url, "--provider-ca", str(bench.ca_file)),
            *("--credentials", str(bench.credentials_file)),
            *("--ca-keys", str(bench.ca_keys_file)),
        )
        self._title("demo.fetch")
        self._run("merchant", "fetch", benches.MID)

    def _change(self) -> None:
        bench = self.bench
        self._title("demo.run")
        self._run(
            *("change", "run", "--port", bench.port, "--reader", bench.reader),
            *("--pictures", str(bench.pictures)),
            answers=[
                (benches.OLD_NUMBER, True),
                (benches.BRANCH, False),
                (benches.MOBILE, True),
                ("CHANGE", False),
            ],
        )
        self._title("demo.approve")
        digits = benches.NEW_NUMBER[-4:]
        self._run("change", "approve", self.number, answers=[(digits, False)])
        self._title("demo.commit")
        self._run("change", "commit", self.number)
        self._title("demo.confirm")
        self._run("change", "confirm", self.number, answers=[("SETTLE", False)])

    def _outsiders(self) -> None:
        self._title("demo.outside")
        with self.bench.ledger.locked() as ledger:
            merchant = ledger.merchants[benches.MID]
            account, version = mask(merchant.account), merchant.version
        tag = self.bench.terminal.core.binding_tag()
        shown = {"mask": account, "version": version, "mid": merchant.mid}
        _say("   " + _("demo.ledger", **shown))
        if tag is None or (tag.mask, tag.version) != (account, version):
            raise PosctlError("demo.step", command="terminal and ledger differ")
        _say("   " + _("demo.screen", mask=tag.mask, version=tag.version))

    # -- showing and running ---------------------------------------------------

    def _title(self, message: str) -> None:
        self._step += 1
        title = _("demo.title", number=self._step, title=_(message))
        _say("\n" + click.style(title, bold=True))

    def _run(self, *arguments: str, answers: Iterable[tuple[str, bool]] = ()) -> None:
        shown = shlex.join(["posctl", *arguments])
        _say(click.style(f"$ {shown}", fg="cyan"))
        environment = {
            **_nobodys_settings(),
            **self.bench.environment,
            "POSCTL_HOME": str(self.home),
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",  # between us, whatever the console has
        }
        with subprocess.Popen(
            [sys.executable, "-m", "posctl", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=environment,
        ) as process:
            self._talk(process, deque(answers))
        if process.returncode:
            raise PosctlError("demo.step", command=shown)

    def _talk(
        self, process: subprocess.Popen[str], answers: deque[tuple[str, bool]]
    ) -> None:
        """Show each line; answer the lines that ask."""
        assert process.stdin and process.stdout  # noqa: S101 - both are pipes
        for line in process.stdout:
            _say("   " + line.rstrip("\n"))
            self._note(line)
            if line.startswith(ASKS) and answers:
                answer, secret = answers.popleft()
                _say(f"   > {_('demo.hidden') if secret else answer}")
                process.stdin.write(answer + "\n")
                process.stdin.flush()

    def _note(self, line: str) -> None:
        """The results are shown as people see them, so they are read as people do."""
        for name in _COUNTED:
            if found := re.fullmatch(rf"{re.escape(label(name))} +(\d+)\n", line):
                self.counted[name] += int(found[1])
        if not self.number and line.startswith(label("order") + " "):
            self.number = line.split()[1]


def _nobodys_settings() -> dict[str, str]:
    """The user's own shop and port are not the demo's, and must not become it."""
    kept = (variable("lang"), variable("color"))
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) or name in kept
    }
    return {**others, CONFIG: os.devnull}


def _say(text: str) -> None:
    click.echo(text, err=True)
