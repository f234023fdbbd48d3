"""Words for a shell's completion: ports, readers, shops, order numbers.

Nothing is opened but the stores, for reading; what fails completes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    import click

_READER_SECONDS = 1.0


def words(what: str, ctx: click.Context, begun: str) -> list[CompletionItem]:
    """Those that begin with ``begun``, each with a word of help."""
    try:
        found = _SOURCES[what](ctx)
    except Exception:  # a shell must not see a traceback between two keys
        return []
    return [
        CompletionItem(name, help=told)
        for name, told in found
        if name.casefold().startswith(begun.casefold())
    ]


def _ports(ctx: click.Context) -> list[tuple[str, str]]:
    from posctl.links.ports import list_ports

    return [(p.name, p.description or p.usb or "") for p in list_ports()]


def _readers(ctx: click.Context) -> list[tuple[str, str]]:
    from posctl.links.pcsc import list_readers
    from posctl.model.deadline import Deadline

    return [(name, "") for name in list_readers(Deadline(_READER_SECONDS))]


def _shops(ctx: click.Context) -> list[tuple[str, str]]:
    shops = ctx.find_root().obj.shops
    return [(name, table.get("port", "")) for name, table in shops.items()]


def _keys(ctx: click.Context) -> list[tuple[str, str]]:
    from posctl.cli.settings import SETTINGS, variable

    return [(key, variable(key)) for key in SETTINGS]


def _orders(ctx: click.Context) -> list[tuple[str, str]]:
    """From both stores, the newest first; a store that is missing is not made."""
    newest: dict[str, tuple[str, str]] = {}
    for place in ("field", "office"):
        for changed, number, state in _stored(_home(ctx) / place / "log.db"):
            newest[number] = max(newest.get(number, ("", "")), (changed, state))
    by_time = sorted(newest.items(), key=lambda pair: pair[1], reverse=True)
    return [(number, state) for number, (_changed, state) in by_time]


def _stored(path: Path) -> list[tuple[str, str, str]]:
    import json
    import sqlite3

    if not path.is_file():
        return []
    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as db:
        rows = [
            json.loads(row[0]) for row in db.execute("SELECT projection FROM orders")
        ]
    return [(row["changed"], row["number"], row["state"]) for row in rows]


def _home(ctx: click.Context) -> Path:
    named = ctx.params.get("home") or ctx.lookup_default("home")
    if named:
        return Path(named)
    from posctl.cli.settings import default_home

    return Path(default_home())


_SOURCES: dict[str, Callable[[click.Context], list[tuple[str, str]]]] = {
    "ports": _ports,
    "readers": _readers,
    "shops": _shops,
    "orders": _orders,
    "keys": _keys,
}
