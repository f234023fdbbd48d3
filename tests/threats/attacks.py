"""What attackers do, and how it is seen that nothing changed."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from orderfiles import root_of
from stdnum import luhn
from world import Ran, Site

from emulator.bench import NEW_NUMBER
from posctl.model.clock import SystemClock
from posctl.store import profiles
from posctl.store.home import Home

SAME_MASK = next(
    number
    for middle in range(1, 100)
    if luhn.is_valid(number := f"621626{middle:09}0018") and number != NEW_NUMBER
)
"""Made here: first six, last four, length as the new number; a right check digit."""
TOLD = ("step.failed",)
"""Events that only say that something was refused."""


@dataclass(frozen=True)
class Outside:
    """What is true at the provider."""

    account: str
    version: int
    signed: int
    applications: int


def outside(site: Site) -> Outside:
    with site.bench.ledger.locked() as ledger:
        many = len(ledger.applications)
    return Outside(site.account(), site.version(), site.signed(), many)


def rows(site: Site) -> list[tuple[str, ...]]:
    """The events of both places, those that only tell of a refusal left out."""
    found: list[tuple[str, ...]] = []
    for place in ("field", "office"):
        log = site.home / place / "log.db"
        if log.exists():
            with contextlib.closing(sqlite3.connect(log)) as db:
                found += db.execute(
                    "SELECT ?, order_id, position, kind, payload FROM events"
                    " ORDER BY sequence",
                    (place,),
                ).fetchall()
    return [row for row in found if row[3] not in TOLD]


@contextlib.contextmanager
def nothing_changes(site: Site) -> Iterator[None]:
    """Neither at the provider nor in a store."""
    before = outside(site), rows(site)
    yield
    assert (outside(site), rows(site)) == before


def refused(ran: Ran, code: str, exit_code: int = 7) -> None:
    assert "Traceback" not in ran.err, ran.err
    assert (ran.error["code"], ran.code) == (code, exit_code), ran.err


def approve(site: Site, number: str, *options: str) -> Ran:
    answers = [NEW_NUMBER[-4:]]
    return site.run("change", "approve", number, *options, answers=answers)


def sql(site: Site, place: str, *statements: str) -> None:
    """As somebody who can write that store."""
    with contextlib.closing(sqlite3.connect(site.home / place / "log.db")) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def copy(source: Path, target: Path) -> Path:
    """A folder put in the place of another one."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def set_clock(patch: pytest.MonkeyPatch, days: float) -> None:
    """This machine's clock is so many days off from now on."""
    off = timedelta(days=days)
    patch.setattr(SystemClock, "now", lambda self: datetime.now(UTC) + off)


def renew_profile(site: Site, *changes: tuple[str, str]) -> None:
    """Signed by the root, as the next version."""
    home = Home(site.home)
    text = (home.profiles / "emulator.toml").read_text()
    now = home.profile(datetime.now(UTC)).version
    for old, new in ((f"version = {now}\n", f"version = {now + 1}\n"), *changes):
        assert old in text
        text = text.replace(old, new, 1)
    profiles.install(home.profiles, text, root_of(home))
