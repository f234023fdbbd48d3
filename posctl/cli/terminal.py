"""`posctl terminal`: what a terminal tells of itself, its batch, its back-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posctl.cli.command import command, options
from posctl.cli.console import Console
from posctl.cli.devices import choose_port, remember_shop
from posctl.cli.grammar import group
from posctl.cli.options import home_option, output_option, port_option, shop_option
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline

if TYPE_CHECKING:
    from posctl.store.profiles import Profile
    from posctl.terminals import TerminalDriver

_READ_SECONDS = 30.0


@group("help.terminal")
def terminal() -> None:
    """The group; each command returns data."""


def _terminal_options(body: Any) -> Any:
    return options(
        shop_option,
        port_option,
        click.option("--profile", metavar="NAME", help=_("option.profile_read")),
        home_option,
    )(body)


@contextmanager
def _opened(
    console: Console, port: str | None, profile: str | None, home: Path
) -> Iterator[tuple[TerminalDriver, Profile, str]]:
    """A driver, the profile it speaks by, and the port it is on."""
    from posctl.cli.people import profile_to_read_with

    found = profile_to_read_with(console, home, profile)
    address = choose_port(port)
    console.waiting("wait.terminal")
    driver = _driver(found, address)
    try:
        yield driver, found, address
    finally:
        driver.close()


def _driver(profile: Profile, address: str) -> TerminalDriver:
    from posctl.terminals import open_terminal

    return open_terminal(
        profile.protocol, address, baud=profile.baud, variables=profile.variables
    )


@command(terminal, "info", "help.terminal.info")
@_terminal_options
def info(
    console: Console,
    shop: str | None,
    port: str | None,
    profile: str | None,
    home: Path,
) -> Json:
    with _opened(console, port, profile, home) as (driver, found, address):
        told = _read(driver, sorted(found.variables))
    if told["mid"]:
        remember_shop(shop, port, None, told["mid"])
    unknown = [name for name, value in told.items() if value is None]
    return {
        "port": address,
        "protocol": found.protocol,
        "profile": f"{found.name} {found.version}",
        **told,
        "unknown": unknown,
    }


def _read(driver: TerminalDriver, names: list[str]) -> Json:
    """None: the protocol cannot tell it, or the terminal has no value."""
    deadline = Deadline(_READ_SECONDS)
    identity = driver.identify(deadline)
    plain = [name for name in names if name != "binding_tag"]
    values = driver.read_variables(plain, deadline)
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
        "account": tag.mask if tag else None,
        "account_version": tag.version if tag else None,
    }


@command(terminal, "settle", "help.terminal.settle")
@_terminal_options
def settle(
    console: Console,
    shop: str | None,
    port: str | None,
    profile: str | None,
    home: Path,
) -> Json:
    from posctl.field.settle import settle as settle_batch

    with _opened(console, port, profile, home) as (driver, found, address):
        tid = driver.identify(Deadline(_READ_SECONDS)).tid
        done = settle_batch(
            console, driver, tid or address, lambda: _driver(found, address)
        )
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
        "time": done.time.isoformat(),
    }


@command(terminal, "backup", "help.terminal.backup")
@_terminal_options
@output_option("option.output_backup")
def backup(
    console: Console,
    shop: str | None,
    port: str | None,
    profile: str | None,
    home: Path,
    output: Path | None,
) -> Json:
    from posctl.field.backup import write_backup

    with _opened(console, port, profile, home) as (driver, found, _address):
        identity = driver.identify(Deadline(_READ_SECONDS))
        who = identity.tid or identity.serial or "terminal"
        path = output or _free_name(who)
        written = write_backup(driver, sorted(found.variables), path)
    return {"tid": identity.tid, "serial": identity.serial, **written}


def _free_name(who: str) -> Path:
    """Nobody else's file: TID and the second, in the current folder."""
    safe = "".join(c for c in who if c.isalnum()) or "terminal"
    return Path(f"{safe}-{datetime.now():%Y%m%d-%H%M%S}.backup.json")
