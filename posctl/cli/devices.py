"""Which port, which reader: the one that was named, or the only one there is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from posctl.cli.command import current_settings
from posctl.cli.console import Console
from posctl.cli.settings import remember
from posctl.cli.text.failures import describe
from posctl.model.errors import NoDevice, PosctlError

if TYPE_CHECKING:
    from posctl.field.look import Look
    from posctl.field.place import FieldPlace


def choose_port(port: str | None) -> str:
    """The port that was named, or the only one there is; nothing is opened.

    Raises:
        NoDevice: ``port.none`` or ``port.ambiguous`` with the candidates.
    """
    if port:
        return port
    from posctl.links.ports import list_ports

    found = [item.name for item in list_ports()]
    if not found:
        raise NoDevice("port.none")
    if len(found) > 1:
        raise NoDevice("port.ambiguous", candidates=", ".join(found))
    return found[0]


def look_at(
    console: Console, place: FieldPlace, port: str | None, merchant: str | None
) -> Look:
    """The terminal on that port, compared with its list; nothing is written.

    Raises: as ``choose_port`` and ``posctl.field.look.look``.
    """
    from posctl.field.look import look, open_driver

    address = choose_port(port)
    console.waiting("wait.terminal", port=address)
    driver = open_driver(place, address)
    try:
        return look(place, driver, merchant=merchant)
    finally:
        driver.close()


def remember_shop(
    console: Console, shop: str | None, **seen: str | Path | None
) -> None:
    """What worked at the shop, if one was named, under names that stay. That it cannot
    be kept is told; it undoes nothing."""
    from posctl.links.ports import stable_name

    if shop is None:
        return
    kept = {name: str(value) for name, value in seen.items() if value is not None}
    if "port" in kept:
        kept["port"] = stable_name(kept["port"]) or kept["port"]
    if "pictures" in kept:
        kept["pictures"] = os.path.abspath(kept["pictures"])
    try:
        remember(current_settings(), shop, kept)
    except PosctlError as failure:
        reason = describe(failure)["text"]
        console.tell("shop.not_remembered", shop=shop, reason=reason)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        console.tell("shop.not_remembered", shop=shop, reason=reason)
