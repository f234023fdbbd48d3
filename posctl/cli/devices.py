"""Which port, which reader: the one that was named, or the only one there is."""

from __future__ import annotations

from posctl.cli.command import current_settings
from posctl.cli.settings import remember
from posctl.model.errors import NoDevice


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


def remember_shop(
    shop: str | None, port: str | None, reader: str | None, merchant: str
) -> bool:
    """What worked at the shop, if one was named; under names that stay."""
    from posctl.links.ports import stable_name

    kept = (stable_name(port) or port) if port else None
    seen = {"merchant": merchant, "port": kept, "reader": reader}
    return remember(current_settings(), shop, seen)
