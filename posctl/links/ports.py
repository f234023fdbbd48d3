"""Which serial ports there are. Nothing is opened: a modem would answer, a terminal
might take the bytes for a request."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_BY_ID = Path("/dev/serial/by-id")


@dataclass(frozen=True)
class Port:
    """A port as the system names it.

    Args:
        usb: vendor and product of its adapter, as in ``067B:2303``; None without one.
        stable: a name that stays when it is plugged in elsewhere; None without one.
    """

    name: str
    description: str | None
    usb: str | None
    stable: str | None


def list_ports() -> list[Port]:
    """In the order of their names."""
    from serial.tools.list_ports import comports

    return sorted((_port(item) for item in comports()), key=lambda port: port.name)


def _port(item: object) -> Port:
    device = str(getattr(item, "device", ""))
    vid, pid = getattr(item, "vid", None), getattr(item, "pid", None)
    told = getattr(item, "description", None)
    return Port(
        name=device,
        description=None if told in (None, "n/a", device) else str(told),
        usb=f"{vid:04X}:{pid:04X}" if vid is not None and pid is not None else None,
        stable=stable_name(device),
    )


def stable_name(device: str, folder: Path = _BY_ID) -> str | None:
    """The link in ``folder`` (udev's) that leads to ``device``.

    /dev/ttyUSB0 is another adapter after a restart; this name is of one adapter.
    """
    try:
        links = sorted(folder.iterdir())
    except OSError:
        return None
    target = os.path.realpath(device)
    return next((str(n) for n in links if os.path.realpath(n) == target), None)
