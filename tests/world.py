"""A bench, a set-up and a command line, as tests use them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas import check

from emulator.bench import BRANCH, MID, MOBILE, NEW_NUMBER, OLD_NUMBER, Bench
from posctl.cli import main as command_line

RUN_ANSWERS = (OLD_NUMBER, BRANCH, MOBILE, "CHANGE")


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit code, the JSON on stdout, the lines on stderr."""

    code: int
    data: dict[str, Any]
    err: str

    def ok(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        return dict(self.data["result"])

    @property
    def error(self) -> dict[str, Any]:
        assert "error" in self.data, self.err
        return dict(self.data["error"])


@dataclass
class Site:
    """A bench and a set-up that knows it."""

    bench: Bench
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def setup(self, profile: str = "emulator") -> Site:
        bench = self.bench
        self.run(
            *("setup", "--test", "--technician", "li", "--approver", "wang"),
            *("--profile", profile, "--provider-url", bench.url),
            *("--provider-ca", str(bench.ca_file)),
            *("--credentials", str(bench.credentials_file)),
            *("--ca-keys", str(bench.ca_keys_file)),
        ).ok()
        self.run("merchant", "fetch", MID).ok()
        return self

    def run(self, *arguments: str, answers: Sequence[str] = ()) -> Ran:
        """One command in this process; on disk is all that outlives it."""
        out, err = io.StringIO(), io.StringIO()
        typed = io.StringIO("".join(f"{line}\n" for line in answers))
        os.environ["POSCTL_HOME"] = str(self.home)
        before = sys.stdin
        sys.stdin = typed
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = command_line._run([*arguments, "--json"])
        finally:
            sys.stdin = before
        text = out.getvalue()
        return Ran(code, check(json.loads(text)) if text else {}, err.getvalue())

    def spawn(self, *arguments: str, answers: Sequence[str] = ()) -> Ran:
        """One command as a process of its own, as people run it."""
        done = subprocess.run(
            [sys.executable, "-m", "posctl", *arguments, "--json"],
            input="".join(f"{line}\n" for line in answers),
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                **self.environment,
                **self.bench.environment,
                "POSCTL_HOME": str(self.home),
            },
        )
        data = check(json.loads(done.stdout)) if done.stdout else {}
        return Ran(done.returncode, data, done.stderr)

    # -- the course, as li and wang go through it -----------------------------

    def means(self) -> list[str]:
        bench = self.bench
        pictures = ["--pictures", str(bench.pictures), "--wait-card", "0"]
        return ["--port", bench.port, "--reader", bench.reader, *pictures]

    def propose(self) -> Ran:
        return self.run("change", "run", *self.means(), answers=RUN_ANSWERS)

    def approve(self, number: str) -> Ran:
        answers = [NEW_NUMBER[-4:]]
        return self.run("change", "approve", number, answers=answers)

    def commit(self, number: str, *options: str) -> Ran:
        return self.run("change", "commit", number, *options)

    def confirm(self, number: str) -> Ran:
        port = ["--port", self.bench.port]
        return self.run("change", "confirm", number, *port, answers=["SETTLE"])

    def approved(self) -> str:
        """An order that waits for its commit."""
        number = str(self.propose().ok()["order"])
        self.approve(number).ok()
        return number

    # -- what is true outside --------------------------------------------------

    def account(self) -> str:
        with self.bench.ledger.locked() as ledger:
            return ledger.merchants[MID].account

    def version(self) -> int:
        with self.bench.ledger.locked() as ledger:
            return ledger.merchants[MID].version

    def signed(self) -> int:
        """How many applications were ever signed at the provider."""
        with self.bench.ledger.locked() as ledger:
            return sum(a.signed_at is not None for a in ledger.applications.values())


MakeSite = Callable[..., Site]
