"""A serial port of the network (RFC 2217), as ser2net and terminal servers have."""

from __future__ import annotations

from urllib.parse import urlsplit

import serial

from posctl.links.serialline import SerialLink
from posctl.links.watchdog import call_within
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, UsageError

_SLICE = 0.1


class NetworkSerialLink(SerialLink):
    """A ByteLink through pyserial's client. Nothing keeps another client off the port
    but its server."""

    @classmethod
    def open(cls, name: str, baud: int, stop_bits: int = 1) -> NetworkSerialLink:
        """Tries for 5 seconds to connect, and 3 for the server's settings.

        Raises:
            UsageError: ``line.address``: without host or port, or with more.
            LinkFailed: ``link.unreachable``: nobody there, or no RFC 2217 there.
        """
        _check(name)
        try:
            port = serial.serial_for_url(
                name, baudrate=baud, stopbits=stop_bits, timeout=_SLICE
            )
        except (OSError, ValueError):  # pyserial's own errors are OSErrors
            raise LinkFailed("link.unreachable", link=name) from None
        return cls(port, name)

    def _write(self, data: bytes, deadline: Deadline) -> None:
        """pyserial's client has no time-out of its own for writing."""
        call_within(deadline, lambda: self._port.write(data), what="write")


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.path or parts.query or parts.username:
        raise UsageError("line.address", address=url)
