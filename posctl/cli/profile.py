"""`posctl profile`: the providers' rules, those in force and the shipped examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import home_option
from posctl.cli.text.messages import _
from posctl.model.canonical import Json

if TYPE_CHECKING:
    from posctl.store.profiles import Profile

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
                "date": found.date,
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
    closed = [f"{a:%H:%M}-{b:%H:%M}" for a, b in found.windows.closed]
    pinned = found.pinned
    return {
        "name": found.name,
        "version": found.version,
        "date": found.date,
        "standing": standing,
        "sha256": found.sha256,
        "provider": found.provider,
        "provider_url": pinned.url if pinned else None,
        "licence": found.licence,
        "channels": list(found.channels),
        "protocol": found.protocol,
        "baud": found.baud,
        "variables": found.variables,
        "required": list(found.required),
        "old_account": found.old_account,
        "time_zone": str(found.windows.zone),
        "closed": closed,
        "fee": str(found.fee),
        "valid_days": found.valid_days,
        "list_days": found.list_days,
        "contacts": found.contacts,
        "terms": found.terms,
        "documents": [{"kind": d.kind, "label": d.label} for d in found.documents],
    }


def _chosen(home: Path, name: str | None, is_example: bool) -> tuple[Profile, str]:
    """Without a name the one in force.

    Raises:
        UsageError: ``profile.missing``, ``setup.missing``.
    """
    from posctl.model.errors import UsageError
    from posctl.store import profiles

    own = None if is_example else _in_force(home)
    if own is not None and name in (None, own.name):
        return own, IN_FORCE
    if name is None:
        raise UsageError("setup.missing", path=str(home))
    return profiles.parse(profiles.text_of(name), source=name), EXAMPLE
