"""Lines to a terminal: a pty and TCP, each with its own POSLink session.

Faults they know (``service`` names the command, as in ``B00``; each whole request
that arrives counts as one, and so does each repetition of it):
    nak      answer NAK; nothing is done
    silence  nothing is answered, nothing is done
    garbage  answer bytes that are no frame, or ``body``; nothing is done
    drop_answer       acknowledge it and do it, answer nothing
    duplicate_answer  do it, send the answer twice
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from emulator.faults import Fault, Faults
from emulator.tcp import TcpListener
from protocols.poslink import Answering, Control, Request, Response

Answer = Callable[[Request], Awaitable[Response]]
_INSTEAD = frozenset({"nak", "silence", "garbage"})
ACTIONS = _INSTEAD | {"drop_answer", "duplicate_answer"}
_TIMES_SENT = {"drop_answer": 0, "duplicate_answer": 2}
_CHUNK = 4096
_INPUT_SPEED, _OUTPUT_SPEED = 4, 5
"""Places in what ``termios.tcgetattr`` gives."""


class _Session:
    """Bytes of one line to the face and back; at most one request at work."""

    def __init__(
        self, answer: Answer, faults: Faults, send: Callable[[bytes], None]
    ) -> None:
        self._answer = answer
        self._faults = faults
        self._send = send
        self._machine = Answering()
        self._work: asyncio.Task[None] | None = None

    def receive(self, data: bytes) -> None:
        out, request = self._machine.receive(data)
        fault = self._faults.take(request.command) if request else None
        if fault and fault.action in _INSTEAD:
            return self._misbehave(fault, data)
        if out:
            self._send(out)
        if request is not None:
            times = _TIMES_SENT[fault.action] if fault else 1
            work = self._run(request, times)
            self._work = asyncio.get_running_loop().create_task(work)

    def _misbehave(self, fault: Fault, data: bytes) -> None:
        self._machine = Answering()  # it must not wait for an answer to send
        answers = {
            "nak": bytes([Control.NAK]),
            "silence": b"",
            "garbage": fault.body or _noise(data),
        }
        if out := answers[fault.action]:
            self._send(out)

    async def _run(self, request: Request, times: int) -> None:
        response = await self._answer(request)
        answer = self._machine.respond(response)
        if times == 0:
            self._machine = Answering()  # nothing is left to be repeated
        else:
            self._send(answer * times)

    def close(self) -> None:
        if self._work is not None:
            self._work.cancel()


class PtyPort:
    """A serial line in software. ``path`` is what a client opens.

    The slave side stays open here, so that a client may close and open it again;
    after ``close`` a client reads the end, as after pulling the plug. A client that
    has set another speed is not understood, and understands nothing.

    Args:
        baud: the terminal's speed in bits a second; a client finds it set.
        wrong_baud: as in ``TerminalConfig``.

    Raises:
        ValueError: no serial line has this speed.
        OSError: no pty can be had.
    """

    def __init__(
        self, answer: Answer, faults: Faults, baud: int, wrong_baud: str
    ) -> None:
        self._speed = _speed(baud)
        self._wrong_baud = wrong_baud
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        _make_raw(self._slave, self._speed)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._unsent = bytearray()
        self._session = _Session(answer, faults, self._send)
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
        if self._same_speed():
            self._session.receive(data)
        else:
            self._transmit(self._garbled(data))

    def _same_speed(self) -> bool:
        import termios

        # Linux tells the master what a client has set on the slave.
        return bool(termios.tcgetattr(self._master)[_OUTPUT_SPEED] == self._speed)

    def _garbled(self, data: bytes) -> bytes:
        return _noise(data) if self._wrong_baud == "garbage" else b""

    def _send(self, data: bytes) -> None:
        if self._master >= 0:
            self._transmit(data if self._same_speed() else self._garbled(data))

    def _transmit(self, data: bytes) -> None:
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


def _speed(baud: int) -> int:
    """The system's own number for a speed. Raises ValueError when it has none."""
    import termios  # no Windows has it, and there no pty is used

    speed: int | None = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise ValueError(f"{baud} baud: no serial line has this speed")
    return speed


def _make_raw(handle: int, speed: int) -> None:
    import termios
    import tty

    tty.setraw(handle)
    settings = termios.tcgetattr(handle)
    settings[_INPUT_SPEED] = settings[_OUTPUT_SPEED] = speed
    termios.tcsetattr(handle, termios.TCSANOW, settings)


def _noise(data: bytes) -> bytes:
    """Smeared bits. The high bit keeps clear of every control byte of POSLink."""
    return bytes(byte | byte >> 1 | 0x80 for byte in data)


class _Connection(asyncio.Protocol):
    def __init__(
        self, answer: Answer, faults: Faults, known: set[asyncio.Transport]
    ) -> None:
        self._answer = answer
        self._faults = faults
        self._known = known
        self._session: _Session | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._session = _Session(self._answer, self._faults, transport.write)
        self._known.add(transport)

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._session.receive(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._known.discard(self._transport)


class TcpPort(TcpListener):
    """POSLink on 127.0.0.1; ``port`` is known after ``start``."""

    def __init__(self, answer: Answer, faults: Faults) -> None:
        super().__init__(lambda known: _Connection(answer, faults, known))
