"""`posctl profile`: the providers' rules, those in force and the shipped examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import home_option, root_option
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from posctl.model.profile import Profile

IN_FORCE, EXAMPLE = "in force", "example"


@group("help.profile")
def profile() -> None:
    """The group; each command returns data."""


@command(profile, "list", "help.profile.list")
@home_option
def list_profiles(console: Console, home: Path) -> Json:
    return {
        "profiles": [
            {
                "name": found.name,
                "version": found.version,
                "date": str(found.date),
                "provider": found.provider,
                "standing": standing,
            }
            for found, standing in _known(home)
        ]
    }


def _known(home: Path) -> Iterator[tuple[Profile, str]]:
    """That of the set-up, its signature checked; then what is shipped."""
    from posctl.store import profiles

    if (own := _in_force(home)) is not None:
        yield own, IN_FORCE
    for name in profiles.example_names():
        yield profiles.parse(profiles.example(name), source=name), EXAMPLE


def _in_force(home: Path) -> Profile | None:
    from posctl.model.clock import SystemClock
    from posctl.store.home import Home

    found = Home(home)
    return found.profile(SystemClock().now()) if found.exists() else None


@command(profile, "show", "help.profile.show")
@click.option("--example", "is_example", is_flag=True, help=_("option.example"))
@home_option
@click.argument("name", required=False)
def show(console: Console, home: Path, is_example: bool, name: str | None) -> Json:
    found, standing = _chosen(home, name, is_example)
    _warn(console, found)
    return {"standing": standing, **_view(found)}


def _view(found: Profile) -> Json:
    """What a profile says, flat, for tables and for scripts."""
    terminal, rules, caps = found.terminal, found.verification, found.caps
    windows, pinned = found.windows, found.pinned
    return {
        "name": found.name,
        "version": found.version,
        "date": str(found.date),
        "sha256": found.sha256,
        "provider": found.provider,
        "provider_url": pinned.url if pinned else None,
        "licence": found.licence,
        "channels": list(found.channels),
        "protocol": terminal.protocol,
        "baud": terminal.baud,
        "models": list(terminal.models),
        "variables": terminal.variables,
        "required": list(found.identity.required),
        "list_days": found.identity.list_days,
        "old_account": found.account.old,
        "asks": list(found.account.asks),
        "steps": list(rules.steps),
        "checkers": list(rules.checkers),
        "cooling_hours": rules.cooling_hours,
        "cooling_hours_other_holder": rules.cooling_hours_other_holder,
        "time_zone": windows.timezone,
        "closed": [f"{a:%H:%M}-{b:%H:%M}" for a, b in windows.closed],
        "merchants_per_account": caps.merchants_per_account,
        "open_per_technician": caps.open_per_technician,
        "days_between_changes": caps.days_between_changes,
        "fee": str(found.fees.total),
        "valid_days": found.order.valid_days,
        "due_days": found.order.due_days,
        "contacts": found.contacts,
        "menus": found.menus,
        "terms": found.terms.text,
        "documents": [{"kind": d.kind, "label": d.label} for d in found.documents],
    }


def _warn(console: Console, found: Profile) -> None:
    """Of an old one, and of one without a licence (R5)."""
    from posctl.model.clock import SystemClock

    if found.is_old(SystemClock().now()):
        console.tell("profile.old", name=found.name, date=str(found.date))
    if not found.licence.strip():
        console.tell("profile.no_licence", name=found.name, provider=found.provider)


@command(profile, "verify", "help.profile.verify")
@root_option
@home_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(console: Console, home: Path, root: Path | None, file: Path) -> Json:
    """Needs no set-up, only the root's certificate and the ``.sig`` beside the file."""
    from posctl.model.clock import SystemClock
    from posctl.store import keys, profiles

    certificate = keys.load_certificate(root or home / "root.pem")
    now = SystemClock().now()
    found = profiles.load(file.parent, file.stem, certificate, now)
    _warn(console, found)
    return {
        "name": found.name,
        "version": found.version,
        "date": str(found.date),
        "sha256": found.sha256,
        "provider": found.provider,
        "verified": True,
        "root_fingerprint": keys.fingerprint(certificate),
        "test_root": keys.is_test_root(certificate),
    }


@command(profile, "sign", "help.profile.sign")
@home_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def sign(console: Console, home: Path, file: Path) -> Json:
    """Put in force, under the root's key; what `setup` pinned stays pinned.

    Raises:
        CheckFailed: ``profile.downgrade``, ``profile.open_orders``.
    """
    from posctl.cli.people import root_operator
    from posctl.model.clock import SystemClock
    from posctl.store import profiles
    from posctl.store.home import Home

    place = Home(home)
    now, own = SystemClock().now(), place.profile(SystemClock().now())
    text = profiles.unpinned(profiles.text_of(str(file.resolve())))
    new = profiles.parse(text, source=str(file))
    if new.name != own.name:
        raise CheckFailed("profile.other_name", name=new.name, expected=own.name)
    if new.version <= own.version:
        raise CheckFailed("profile.downgrade", version=new.version, now=own.version)
    _warn(console, new)
    root = root_operator(console, place)
    installed = profiles.install(place.profiles, profiles.pin(text, own.in_force), root)
    return {
        "name": installed.name,
        "version": installed.version,
        "date": str(installed.date),
        "sha256": installed.sha256,
        "signed": f"{now:%Y-%m-%d}",
        "file": str(place.profiles / f"{installed.name}.toml"),
    }


def _chosen(home: Path, name: str | None, is_example: bool) -> tuple[Profile, str]:
    """Without a name the one in force.

    Raises:
        UsageError: ``profile.missing``, ``setup.missing``.
    """
    from posctl.store import profiles

    own = None if is_example else _in_force(home)
    if own is not None and name in (None, own.name):
        return own, IN_FORCE
    if name is None:
        raise UsageError("setup.missing", path=str(home))
    return profiles.parse(profiles.text_of(name), source=name), EXAMPLE
