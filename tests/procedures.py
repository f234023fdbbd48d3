"""Sites whose profile differs from the emulator's: a text of it, changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from world import Site

from emulator.acquirer.ledger import AccountKind, BankAccount
from emulator.bench import BRANCH, MOBILE, OLD_NUMBER
from posctl.cli.console import Console
from posctl.office import commit
from posctl.office.place import OfficePlace, Session, open_secrets
from posctl.store import keys
from posctl.store.home import Home
from posctl.store.profiles import example

Changed = Callable[..., Site]
"""Of the fixture ``changed``: changes of the profile in, a site out."""
CORPORATE = "31001234567890123456"
STEPS = '    "identity", "old_account", "office_caps",\n'
NAMED = '    "identity", "old_account", "office_caps", "same_name",\n'
"""A piece of the emulator's profile, and the same with the names compared."""


def profile_text(name: str, changes: Mapping[str, str]) -> str:
    """A shipped profile with these pieces of text replaced; each must be there."""
    text = example(name)
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def site_with(
    site: Site,
    folder: Path,
    changes: Mapping[str, str],
    *,
    name: str = "emulator",
    credentials: Mapping[str, str] | None = None,
) -> Site:
    """Another set-up on the same bench, under a changed profile."""
    folder.mkdir(exist_ok=True)
    profile = folder / f"{name}.toml"
    profile.write_text(profile_text(name, changes), "utf-8")
    issued = site.bench.credentials_file
    if credentials is not None:
        issued = folder / "credentials.json"
        issued.write_text(json.dumps(dict(credentials)))
    made = replace(site, home=folder / "home")
    made.run(
        *("setup", "--test", "--technician", "li", "--approver", "wang"),
        *("--profile", str(profile), "--provider-url", site.bench.url),
        *("--provider-ca", str(site.bench.ca_file), "--credentials", str(issued)),
        *("--ca-keys", str(site.bench.ca_keys_file)),
    ).ok()
    return made


def register(site: Site, mid: str, *more: str, owner: str = "全渠道") -> None:
    """The merchant at the office, and its list for the field."""
    names = ("--name", "小面馆", "--owner", owner, "--phone", "13552535506")
    subject = () if "--subject" in more else ("--subject", "individual")
    site.run("merchant", "register", *subject, *names, *more, mid).ok()
    site.run("merchant", "fetch", mid).ok()


def shown(site: Site, number: str) -> dict[str, Any]:
    """What `orders show` tells."""
    return site.run("orders", "show", number).ok()


class SetClock:
    """A clock that tests set; sleeping moves it."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


def office(site: Site, ahead: timedelta) -> Session:
    """Wang at the office, with a clock that is ahead."""
    home = Home(site.home)
    place = OfficePlace(home, SetClock(ahead), Console("test", as_json=True))
    place.collect()
    wang = keys.load_operator(home.operators, "wang", None)
    return Session(place, wang, open_secrets(home, None))


def state(site: Site, number: str) -> str:
    return str(site.run("orders", "show", number).ok()["state"])


def proposed(site: Site) -> str:
    return str(site.propose().ok()["order"])


def interrupted(self: commit.Commit) -> None:
    """For ``Commit.sign``: Ctrl-C just before it."""
    raise KeyboardInterrupt


def company(site: Site, *holder: str) -> str:
    """The number of an approved order for a company's account; ``holder`` where the
    profile asks its name."""
    with site.bench.ledger.locked() as ledger:
        account = BankAccount(CORPORATE, "小面馆", AccountKind.CORPORATE)
        ledger.accounts[CORPORATE] = account
    known = (CORPORATE, CORPORATE, OLD_NUMBER, BRANCH, MOBILE)
    answers = (*known, *holder, "CHANGE")
    ran = site.run("change", "run", *site.means(), "--corporate", answers=answers)
    number = str(ran.ok()["order"])
    site.run("change", "approve", number, answers=[CORPORATE[-4:]]).ok()
    return number


def payload(
    site: Site, number: str, kind: str, *, office: bool = False
) -> dict[str, object]:
    """Of the newest event of that kind in the field's log, or the office's."""
    place = "office" if office else "field"
    with sqlite3.connect(site.home / place / "log.db") as db:
        sql = (
            "SELECT payload FROM events WHERE order_id = ? AND kind = ?"
            " ORDER BY position DESC"
        )
        return dict(json.loads(db.execute(sql, (number, kind)).fetchone()[0]))


def submitted(site: Site) -> str:
    """An order whose application is not signed yet."""
    number = site.approved()
    real = commit.Commit.sign
    try:
        commit.Commit.sign = interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            commit.commit(office(site, timedelta()), number, 1.0)
    finally:
        commit.Commit.sign = real  # type: ignore[method-assign]
    return number


OTHER_MID, OTHER_TID = "898110054110002", "11000002"


def of_merchant(site: Site, number: str, mid: str, tid: str) -> None:
    """As if that order were of this merchant: it then blocks no order of another."""
    for place in ("field", "office"):
        with sqlite3.connect(site.home / place / "log.db") as db:
            db.execute(
                "UPDATE orders SET mid = ?, tid = ?, projection = json_set(projection,"
                " '$.mid', ?, '$.tid', ?) WHERE order_id = ?",
                (mid, tid, mid, tid, number),
            )
