"""`posctl config`: the settings of this user, and where each comes from."""

from __future__ import annotations

import click

from posctl.cli.command import command, current_settings
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import ShopName, key_argument, shop_option
from posctl.cli.settings import SETTINGS, check_key, check_text, check_value, write
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.errors import UsageError


@group("help.config")
def config() -> None:
    """The group; each command returns data."""


_table_option = click.option(
    "--shop", "table", metavar="NAME", type=ShopName(), help=_("option.config_shop")
)
"""Whose table is written: never one that the settings themselves name."""


@command(config, "list", "help.config.list")
@shop_option
def list_settings(console: Console, shop: str | None) -> Json:
    settings = current_settings()
    rows = settings.effective(shop, typed=_typed())
    return {
        "file": str(settings.path),
        "shop": shop,
        "shops": sorted(settings.shops),
        "settings": [
            {"key": key, "value": value, "origin": origin}
            for key, value, origin in rows
        ],
    }


def _typed() -> bool:
    """Whether the shop was named on the command line."""
    source = click.get_current_context().get_parameter_source("shop")
    return source is click.core.ParameterSource.COMMANDLINE


@command(config, "path", "help.config.path", settings=False)
def path(console: Console) -> Json:
    return {"file": str(current_settings().path)}


@command(config, "get", "help.config.get")
@shop_option
@key_argument
def get(console: Console, shop: str | None, key: str) -> Json:
    check_key(current_settings().path, key, key, list(SETTINGS))
    rows = current_settings().effective(shop, typed=_typed())
    found = next((row for row in rows if row[0] == key), None)
    if found is None:
        raise UsageError("config.not_set", key=key)
    return {"key": key, "value": found[1], "origin": found[2]}


@command(config, "set", "help.config.set")
@_table_option
@key_argument
@click.argument("value")
def set_value(console: Console, table: str | None, key: str, value: str) -> Json:
    _check_key(table, key)
    check_text("--shop", table or "")
    check_value(key, key, value)
    write(current_settings(), table, {key: value})
    return {"file": str(current_settings().path), "key": key, "value": value}


@command(config, "unset", "help.config.unset")
@_table_option
@key_argument
def unset(console: Console, table: str | None, key: str) -> Json:
    _check_key(table, key)
    settings = current_settings()
    found = settings.general if table is None else settings.shops.get(table, {})
    if key not in found:
        raise UsageError("config.not_set", key=key)
    write(settings, table, {key: None})
    return {"file": str(settings.path), "key": key, "value": None}


def _check_key(table: str | None, key: str) -> None:
    """Raises UsageError ``config.unknown_key``."""
    known = [k for k, s in SETTINGS.items() if (s.shop if table else s.general)]
    check_key(current_settings().path, key, key, known)
