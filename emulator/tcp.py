"""A TCP server on 127.0.0.1 that leaves nothing behind when it stops."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

Known = set[asyncio.Transport]


class TcpListener:
    """Listens for the protocol that ``make`` makes; use from one event loop.

    Args:
        make: gets the set of open connections; its protocol keeps itself in there
            from ``connection_made`` to ``connection_lost``.
    """

    def __init__(self, make: Callable[[Known], asyncio.Protocol]) -> None:
        self.port = 0
        self._make = make
        self._connections: Known = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen; the port taken. ``port`` 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: self._make(self._connections), "127.0.0.1", port
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Close the listener and every connection. May be repeated."""
        if self._server is not None:
            self._server.close()
        for transport in list(self._connections):
            transport.abort()
        while self._connections:
            await asyncio.sleep(0)


def reset(transport: asyncio.Transport) -> None:
    """Close a TCP connection with RST: what was not read is lost, as on a cut wire."""
    line = transport.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
