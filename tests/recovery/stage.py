"""One bench and one warm process for many attempts, put back to the start between them.

A setting is how a change is made: by which profile, and where the new number comes
from. Set-ups are made once for each profile, three days before, and copied.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalldisk import Room, may_mount, small_disk
from zygote import Plan, Zygote

from emulator.bench import (
    BRANCH,
    COMPANY_NUMBER,
    MID,
    MOBILE,
    NEW_NUMBER,
    OLD_NUMBER,
    TID,
    Bench,
    Scenario,
)
from emulator.faults import Fault, Faults
from posctl.change.order import fold
from posctl.model.clock import SystemClock
from posctl.store.eventlog import EventLog
from posctl.store.profiles import example

PLACES = ("field", "office")
AUDIT = 0.02
"""Seconds that the provider takes to decide."""
DAYS_SINCE_SETUP = 3.0
DAY, HOUR = 86400.0, 3600.0
COOLING_HOURS = 2
HELD = 1.0
"""How long a silent host is silent, in seconds: longer than a child waits then."""


@dataclass(frozen=True)
class Setting:
    """``profile`` is a key of ``PROFILES``, ``source`` one of ``SOURCES``."""

    profile: str
    source: str

    @property
    def new_number(self) -> str:
        return COMPANY_NUMBER if self.source == "corporate" else NEW_NUMBER

    @property
    def questions(self) -> list[list[str]]:
        """Patterns of what is asked, and what is answered; the amount comes later."""
        return [
            [r"Type (\w+) to go on", r"\1"],
            ["number of the new card|company's new account", self.new_number],
            ["Number of the new card", self.new_number],
            ["The same number once more", self.new_number],
            ["Number of the present", OLD_NUMBER],
            ["Bank code", BRANCH],
            ["Mobile number", MOBILE],
            ["Last four digits", self.new_number[-4:]],
        ]

    def __str__(self) -> str:
        return f"{self.profile}, {self.source}"


SOURCES: dict[str, list[str]] = {
    "chip": [],
    "typed": ["--typed"],
    "corporate": ["--corporate"],
}
PROFILES: dict[str, dict[str, str]] = {
    "plain": {},
    "cooling": {"cooling_hours = 0": f"cooling_hours = {COOLING_HOURS}"},
}
PLAIN = Setting("plain", "chip")
SETTINGS = (
    PLAIN,
    Setting("plain", "typed"),
    Setting("cooling", "chip"),
    Setting("cooling", "typed"),
    Setting("plain", "corporate"),
)

ARMED = {
    "provider: reset": "reset",
    "provider: time-out, done": "delay",
    "provider: time-out, not done": "hold",
    "provider: answer lost": "drop_answer",
    "provider: answer doubled": "duplicate_answer",
    "terminal: time-out, done": "drop_answer",
    "terminal: time-out, not done": "silence",
    "terminal: answer doubled": "duplicate_answer",
}
"""Faults of a host, by the action that its emulator knows."""
_SIGNALS = ("SIGKILL", "SIGTERM", "Ctrl-C")
_JUMPS = {"clock forward": 5 * HOUR, "clock back": -7 * HOUR}


class Stage:
    """``setting`` says what is on it now; ``home`` is the set-up worked on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.setting = PLAIN
        self.home = folder / "disk" / "home"
        self.ahead = 0.0
        self.room: Room | None = None
        self.locks: dict[str, sqlite3.Connection] = {}
        self.unplugged = False
        self.struck: list[str] = []

    def __enter__(self) -> Stage:
        self.home.parent.mkdir(parents=True)
        scenario = Scenario(direct=True, audit=AUDIT)
        with ExitStack() as stack:
            if may_mount():
                disk = small_disk(self.home.parent, "8m")
                self.room = stack.enter_context(disk)
            bench = Bench(self.folder / "bench", scenario)
            self.bench = stack.enter_context(bench)
            self.zygote = stack.enter_context(Zygote())
            for name in PROFILES:
                self._set_up(name)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.mend()
        self._stack.close()

    def _set_up(self, profile: str) -> None:
        bench, text = self.bench, example("emulator")
        for old, new in PROFILES[profile].items():
            assert old in text
            text = text.replace(old, new, 1)
        file = self.folder / f"{profile}.toml"
        file.write_text(text, "utf-8")
        home = self.folder / "set-ups" / profile
        then = -DAYS_SINCE_SETUP * DAY
        with self.zygote.stay(Plan(home)) as child:
            made = child.run(
                *("setup", "--test", "--technician", "li", "--approver", "wang"),
                *("--profile", str(file), "--provider-url", bench.url),
                *("--provider-ca", str(bench.ca_file)),
                *("--credentials", str(bench.credentials_file)),
                *("--ca-keys", str(bench.ca_keys_file)),
                ahead=then,
            )
            assert made.code == 0, made.err
            fetched = child.run("merchant", "fetch", MID, ahead=then)
            assert fetched.code == 0, fetched.err

    def reset(self, setting: Setting) -> None:
        """A new set-up, a bench as at its start, the right time."""
        self.mend()
        self.setting, self.ahead = setting, 0.0
        self.struck.clear()
        self.bench.refill()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.folder / "set-ups" / setting.profile, self.home)

    # -- what people type ----------------------------------------------------------

    def words(self, command: str, number: str = "") -> list[str]:
        """A command of `posctl change` with what it needs on this bench."""
        bench = self.bench
        port = ["--port", bench.port]
        means = ["--pictures", str(bench.pictures), "--wait-card", "0"]
        if self.setting.source == "chip":
            means += ["--reader", bench.reader]
        means += [*port, *SOURCES[self.setting.source]]
        more = {"run": means, "resume": means, "propose": means, "confirm": port}
        return [
            "change",
            command,
            *([number] if number else []),
            *more.get(command, []),
        ]

    def answers(self, number: str) -> list[list[str]]:
        if self.setting.source != "corporate":
            return self.setting.questions
        return [*self.setting.questions, ["Amount that arrived", self._penny(number)]]

    def _penny(self, number: str) -> str:
        """What the merchant's statement shows, if anything arrived."""
        with self.logs() as logs:
            events = [e for log in logs.values() for e in log.events(number)]
        made = [e.payload for e in events if e.kind == "apply.done"]
        if not made:
            return "0.01"
        try:
            drop = self.bench.provider.account_change.penny_drop
            return f"{drop(made[-1]['application']) / 100:.2f}"
        except KeyError:
            return "0.01"

    # -- what goes wrong -----------------------------------------------------------

    def strike(self, place: str, fault: str) -> dict[str, Any]:
        """Let it go wrong now; what the child must do itself."""
        self.struck.append(fault)
        if fault in _SIGNALS:
            return {}
        if fault in _JUMPS:
            return {"ahead": self._jump(_JUMPS[fault])}
        if fault == "disk full":
            return self._fill()
        if fault == "store locked":
            self._lock(place)
        elif fault == "card removed":
            self.bench.slot.remove()
        elif fault == "unplugged":
            self.bench.unplug()
            self.unplugged = True
        elif fault == "power cut":
            self.bench.cut_power()
        else:
            armed = Fault("*", ARMED[fault], seconds=HELD)
            self.faults_of(fault).add(armed)
        return {"silent": "time-out" in fault}

    def faults_of(self, fault: str) -> Faults:
        """Of the host that the fault is one of."""
        host = self.bench.provider if "provider" in fault else self.bench.terminal
        return host.faults

    def _jump(self, seconds: float) -> float:
        self.ahead += seconds
        return seconds

    def _fill(self) -> dict[str, Any]:
        if self.room is None:
            return {"largest": 0}
        self.room.fill()
        return {}

    def _lock(self, place: str) -> None:
        if place in self.locks:
            return
        lock = sqlite3.connect(self.home / place / "log.db", isolation_level=None)
        self.locks[place] = lock
        lock.execute("BEGIN IMMEDIATE")

    def mend(self) -> None:
        """What people do about it before they go on. The clock is left as it is."""
        if self.room is not None:
            self.room.free()
        while self.locks:
            self.locks.popitem()[1].close()
        if self.unplugged:
            self.bench.plug()
        self.unplugged = False
        self.bench.insert_card()
        self.bench.provider.faults.clear()
        self.bench.terminal.faults.clear()

    # -- what is true --------------------------------------------------------------

    @contextmanager
    def logs(self) -> Iterator[dict[str, EventLog]]:
        """Both stores, opened anew; only for looking."""
        with ExitStack() as stack:
            found = {}
            for place in PLACES:
                path = self.home / place / "log.db"
                found[place] = EventLog(path, fold, SystemClock())
                stack.callback(found[place].close)
            yield found

    def account(self) -> str:
        with self.bench.ledger.locked() as ledger:
            return ledger.merchants[MID].account

    def version(self) -> int:
        with self.bench.ledger.locked() as ledger:
            return ledger.merchants[MID].version

    def signed(self) -> int:
        with self.bench.ledger.locked() as ledger:
            return sum(a.signed_at is not None for a in ledger.applications.values())

    def settlements(self) -> int:
        return len(self.bench.host.settlements(TID))

    def asked(self) -> dict[str, int]:
        """How many exchanges there were on each wire."""
        return {
            "provider": self.bench.provider.faults.asked.total(),
            "terminal": self.bench.terminal.faults.asked.total(),
            "card": self.bench.cards.apdus,
        }
