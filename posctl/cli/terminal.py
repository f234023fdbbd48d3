"""`posctl terminal`: what a terminal tells of itself, its batch, its back-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posctl.cli.command import command, options
from posctl.cli.console import Console
from posctl.cli.devices import choose_port
from posctl.cli.grammar import group
from posctl.cli.options import (
    home_option,
    merchant_option,
    output_option,
    port_option,
    profile_option,
    shop_option,
)
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline

if TYPE_CHECKING:
    from posctl.model.profile import Profile
    from posctl.terminals import TerminalDriver, TerminalIdentity

_READ_SECONDS = 30.0


@group("help.terminal")
def terminal() -> None:
    """The group; each command returns data."""


def _terminal_options(body: Any) -> Any:
    return options(
        shop_option,
        port_option,
        merchant_option,
        profile_option,
        home_option,
    )(body)


@dataclass(frozen=True)
class Opened:
    """A driver, who the terminal is, the profile it is spoken to by, its port."""

    driver: TerminalDriver
    identity: TerminalIdentity
    profile: Profile
    address: str

    @property
    def name(self) -> str:
        """What people call it."""
        told = (self.identity.tid, self.identity.mid)
        return ", ".join(filter(None, told)) or self.address


@contextmanager
def _opened(
    console: Console,
    port: str | None,
    merchant: str | None,
    profile: str | None,
    home: Path,
) -> Iterator[Opened]:
    """A terminal that has said who it is, and of whose it must be, if that was said.

    Raises:
        CheckFailed: ``look.other_merchant``, ``look.unknown``.
    """
    from posctl.cli.people import profile_to_read_with
    from posctl.field.look import check_merchant

    found = profile_to_read_with(console, home, profile)
    address = choose_port(port)
    console.waiting("wait.terminal", port=address)
    driver = _driver(found, address)
    try:
        identity = driver.identify(Deadline(_READ_SECONDS))
        check_merchant(identity, merchant)
        yield Opened(driver, identity, found, address)
    finally:
        driver.close()


def _driver(profile: Profile, address: str) -> TerminalDriver:
    from posctl.terminals import open_terminal

    rules = profile.terminal
    return open_terminal(
        rules.protocol, address, baud=rules.baud, variables=rules.variables
    )


@command(terminal, "info", "help.terminal.info")
@_terminal_options
def info(console: Console, shop: str | None, **how: Any) -> Json:
    with _opened(console, **how) as opened:
        told = _read(opened)
    unknown = [name for name, value in told.items() if value is None]
    return {
        "port": opened.address,
        "protocol": opened.profile.terminal.protocol,
        "profile": f"{opened.profile.name} {opened.profile.version}",
        **told,
        "unknown": unknown,
    }


def _read(opened: Opened) -> Json:
    """None: the protocol cannot tell it, or the terminal has no value."""
    deadline = Deadline(_READ_SECONDS)
    driver, identity = opened.driver, opened.identity
    names = sorted(opened.profile.terminal.variables.keys() - {"binding_tag"})
    values = driver.read_variables(names, deadline)
    totals = driver.totals(deadline)
    tag = driver.binding_tag(deadline)
    return {
        "serial": identity.serial,
        "model": identity.model,
        "firmware": identity.firmware,
        "tid": identity.tid,
        "mid": identity.mid,
        "merchant_name": values.get("merchant_name"),
        "batch": values.get("batch"),
        "transactions": totals.count,
        "amount": str(totals.amount),
        "last_settlement": values.get("last_settlement"),
        "clock": values.get("clock"),
        "account": (tag.mask or None) if tag else None,
        "account_version": tag.version if tag else None,
    }


@command(terminal, "settle", "help.terminal.settle")
@_terminal_options
def settle(console: Console, shop: str | None, **how: Any) -> Json:
    from posctl.field.settle import settle as settle_batch

    with _opened(console, **how) as opened:
        done = settle_batch(
            console,
            opened.driver,
            opened.name,
            lambda: _driver(opened.profile, opened.address),
        )
    tid = opened.identity.tid
    if done is None:
        console.tell("settle.answer_lost")
        return {"tid": tid, "settled": True}
    return {
        "tid": tid,
        "settled": True,
        "batch": done.batch,
        "transactions": done.totals.count,
        "amount": str(done.totals.amount),
        "host_code": done.host_code,
        "time": done.time.isoformat() if done.time else None,
    }


@command(terminal, "backup", "help.terminal.backup")
@_terminal_options
@output_option("option.output_backup")
def backup(console: Console, shop: str | None, output: Path | None, **how: Any) -> Json:
    from posctl.field.backup import write_backup

    with _opened(console, **how) as opened:
        identity = opened.identity
        path = output or _free_name(identity.tid or identity.serial or "terminal")
        names = sorted(opened.profile.terminal.variables)
        written = write_backup(opened.driver, names, path)
    return {"tid": identity.tid, "serial": identity.serial, **written}


def _free_name(who: str) -> Path:
    """Nobody else's file: TID and the second, in the current folder."""
    safe = "".join(c for c in who if c.isalnum()) or "terminal"
    return Path(f"{safe}-{datetime.now():%Y%m%d-%H%M%S}.backup.json")
