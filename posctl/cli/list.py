"""`posctl list`: ports and readers. Opens nothing."""

from __future__ import annotations

from posctl.cli.command import command, current_settings
from posctl.cli.console import Console
from posctl.cli.text.failures import describe
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline
from posctl.model.errors import PosctlError

_READER_SECONDS = 5.0


@command(None, "list", "help.list")
def list_devices(console: Console) -> Json:
    from posctl.links.ports import list_ports

    readers, failure = _readers(console)
    return {
        "ports": [
            {
                "port": port.name,
                "usb": port.usb,
                "description": port.description,
                "stable_name": port.stable,
                "shops": _shops("port", port.name, port.stable),
            }
            for port in list_ports()
        ],
        "readers": [
            {"reader": name, "shops": _shops("reader", name)} for name in readers
        ],
        "reader_failure": failure,
    }


def _readers(console: Console) -> tuple[list[str], str | None]:
    """No PC/SC is no failure of `list`: it is what was asked for."""
    from posctl.links.pcsc import list_readers

    try:
        return list_readers(Deadline(_READER_SECONDS)), None
    except PosctlError as failure:
        shown = describe(failure)
        console.tell("list.no_readers", reason=shown["text"], next=shown["next"])
        return [], failure.code


def _shops(key: str, *names: str | None) -> list[str]:
    """Where that port or reader was used."""
    shops = current_settings().shops.items()
    wanted = set(names) - {None}
    return [shop for shop, table in shops if table.get(key) in wanted]
