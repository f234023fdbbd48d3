"""`posctl config`: the settings of this user, and where each comes from."""

from __future__ import annotations

import click

from posctl.cli.command import command, current_settings
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import key_argument, shop_option
from posctl.cli.settings import SETTINGS, check_key, check_text, check_value, write
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import UsageError


@group("help.config")
def config() -> None:
    """The group; each command returns data."""


_shop_option = click.option("--shop", metavar="NAME", help=_("option.config_shop"))


@command(config, "list", "help.config.list")
@shop_option
def list_settings(console: Console, shop: str | None) -> Json:
    settings = current_settings()
    rows = settings.effective(shop)
    return {
        "file": str(settings.path),
        "shop": shop,
        "shops": sorted(settings.shops),
        "settings": [
            {"key": key, "value": value, "origin": origin}
            for key, value, origin in rows
        ],
    }


@command(config, "path", "help.config.path", settings=False)
def path(console: Console) -> Json:
    return {"file": str(current_settings().path)}


@command(config, "get", "help.config.get")
@shop_option
@key_argument
def get(console: Console, shop: str | None, key: str) -> Json:
    check_key(key, key, list(SETTINGS))
    rows = current_settings().effective(shop)
    found = next((row for row in rows if row[0] == key), None)
    if found is None:
        raise UsageError("config.not_set", key=key)
    return {"key": key, "value": found[1], "origin": found[2]}


@command(config, "set", "help.config.set")
@_shop_option
@key_argument
@click.argument("value")
def set_value(console: Console, shop: str | None, key: str, value: str) -> Json:
    _check_key(shop, key)
    check_text("--shop", shop or "")
    check_value(key, key, value)
    write(current_settings(), shop, {key: value})
    return {"file": str(current_settings().path), "key": key, "value": value}


@command(config, "unset", "help.config.unset")
@_shop_option
@key_argument
def unset(console: Console, shop: str | None, key: str) -> Json:
    _check_key(shop, key)
    settings = current_settings()
    table = settings.general if shop is None else settings.shops.get(shop, {})
    if key not in table:
        raise UsageError("config.not_set", key=key)
    write(settings, shop, {key: None})
    return {"file": str(settings.path), "key": key, "value": None}


def _check_key(shop: str | None, key: str) -> None:
    """Raises UsageError ``config.unknown_key``."""
    known = [k for k, s in SETTINGS.items() if (s.shop if shop else s.general)]
    check_key(key, key, known)
