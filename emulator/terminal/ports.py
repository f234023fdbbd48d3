"""Lines to a terminal: a pty and TCP, each with its own POSLink session."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from emulator.tcp import TcpListener
from protocols.poslink import Answering, Request, Response

Answer = Callable[[Request], Awaitable[Response]]
_CHUNK = 4096


class _Session:
    """Bytes of one line to the face and back; at most one request at work."""

    def __init__(self, answer: Answer, send: Callable[[bytes], None]) -> None:
        self._answer = answer
        self._send = send
        self._machine = Answering()
        self._work: asyncio.Task[None] | None = None

    def receive(self, data: bytes) -> None:
        out, request = self._machine.receive(data)
        if out:
            self._send(out)
        if request is not None:
            self._work = asyncio.get_running_loop().create_task(self._run(request))

    async def _run(self, request: Request) -> None:
        response = await self._answer(request)
        self._send(self._machine.respond(response))

    def close(self) -> None:
        if self._work is not None:
            self._work.cancel()


class PtyPort:
    """A serial line in software. ``path`` is what a client opens.

    The slave side stays open here, so that a client may close and open it again;
    after ``close`` a client reads the end, as after pulling the plug.
    """

    def __init__(self, answer: Answer) -> None:
        import tty  # no Windows has it, and there this port is not used

        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._unsent = bytearray()
        self._session = _Session(answer, self._send)
        self._loop.add_reader(self._master, self._readable)

    def close(self) -> None:
        """May be repeated."""
        if self._master < 0:
            return
        self._session.close()
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        for handle in (self._master, self._slave):
            os.close(handle)
        self._master = self._slave = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._session.receive(data)

    def _send(self, data: bytes) -> None:
        self._unsent += data
        self._flush()

    def _flush(self) -> None:
        if self._master < 0:
            return
        try:
            del self._unsent[: os.write(self._master, self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._unsent:
            self._loop.add_writer(self._master, self._flush)
        else:
            self._loop.remove_writer(self._master)


class _Connection(asyncio.Protocol):
    def __init__(self, answer: Answer, known: set[asyncio.Transport]) -> None:
        self._answer = answer
        self._known = known
        self._session: _Session | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._session = _Session(self._answer, transport.write)
        self._known.add(transport)

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._session.receive(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._known.discard(self._transport)


class TcpPort(TcpListener):
    """POSLink on 127.0.0.1; ``port`` is known after ``start``."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(lambda known: _Connection(answer, known))
