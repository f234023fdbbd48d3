"""A terminal on TCP: one socket, connected and read within deadlines."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from posctl.links.watchdog import call_within
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, UsageError

_CHUNK = 4096
_SHORTEST = 0.001


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit("//" + address.removeprefix("tcp:"))
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.path or parts.query or parts.username:
        raise UsageError("line.address", address=address)
    return host, port


def _resolve(address: str, deadline: Deadline) -> list[Any]:
    host, port = _host_and_port(address)
    try:
        return call_within(
            deadline,
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
            what="resolve",
        )
    except (OSError, UnicodeError):
        raise LinkFailed("link.unreachable", link=address) from None


class TcpLink:
    """A ByteLink. ``bytes_out`` and ``bytes_in`` count from connecting on."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.name = name
        self.bytes_out = 0
        self.bytes_in = 0
        self._socket = connection

    @classmethod
    def connect(cls, address: str, deadline: Deadline) -> TcpLink:
        """Tries every address of the host. Raises as ``open_line``."""
        failure: Exception = LinkFailed("link.unreachable", link=address)
        for family, kind, protocol, _name, place in _resolve(address, deadline):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(max(deadline.remaining(), _SHORTEST))
                connection.connect(place)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return cls(connection, address)
            except OSError as error:
                connection.close()
                failure = _connect_failure(error, address, deadline)
        raise failure

    def write(self, data: bytes, deadline: Deadline) -> None:
        """All bytes, or LinkTimeout ``link.timeout``, LinkFailed ``link.lost``."""
        try:
            self._socket.settimeout(max(deadline.remaining(), _SHORTEST))
            self._socket.sendall(data)
        except OSError as error:
            raise self._failure(error, "write", deadline) from None
        self.bytes_out += len(data)

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, or LinkTimeout ``link.timeout``, LinkFailed ``link.lost``.

        A peer that hung up is told at once.
        """
        try:
            self._socket.settimeout(max(deadline.remaining(), _SHORTEST))
            data = self._socket.recv(_CHUNK)
        except OSError as error:
            raise self._failure(error, "read", deadline) from None
        if not data:
            raise LinkFailed("link.lost", link=self.name)
        self.bytes_in += len(data)
        return data

    def drain(self) -> None:
        """Throw away what has arrived; at most 64 KiB of it from a chatterer."""
        self._socket.settimeout(0)
        for _ in range(16):
            try:
                if not self._socket.recv(_CHUNK):
                    raise LinkFailed("link.lost", link=self.name)
            except BlockingIOError:
                return
            except OSError:
                raise LinkFailed("link.lost", link=self.name) from None

    def close(self) -> None:
        self._socket.close()

    def _failure(self, error: OSError, what: str, deadline: Deadline) -> LinkFailed:
        if isinstance(error, TimeoutError):
            seconds = deadline.seconds
            place = {"what": what, "seconds": seconds, "link": self.name}
            return LinkTimeout("link.timeout", **place)
        return LinkFailed("link.lost", link=self.name)


def _connect_failure(error: OSError, name: str, deadline: Deadline) -> LinkFailed:
    if isinstance(error, TimeoutError):
        place = {"what": "connect", "seconds": deadline.seconds, "link": name}
        return LinkTimeout("link.timeout", **place)
    refused = isinstance(error, ConnectionRefusedError)
    return LinkFailed("link.refused" if refused else "link.unreachable", link=name)
