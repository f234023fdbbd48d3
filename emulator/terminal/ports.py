"""Lines to a terminal: a pty and TCP, each with its own conversation of one face.

Faults they know, in ``ACTIONS`` (``service`` names the command as its protocol does,
``B00`` or ``06 50``; each whole request that arrives counts as one, and so does each
repetition of it).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from emulator.faults import Fault, Faults
from emulator.spoiling import ANSWER_ACTIONS, Send, spoken, times_sent
from emulator.tcp import TcpListener, reset
from emulator.terminal.pacing import LineSettings, Pace

NOT_TAKEN = {
    "nak": "refuse it as a line does (NAK; ZVT on TCP: 84 9C, busy; ECR Hub has no"
    " such word and stays silent)",
    "silence": "answer nothing",
    "garbage": "answer bytes that are no frame, or ``body``",
    "hang_up": "the line breaks: TCP is reset, a pty is gone",
}
"""Instead of taking the request: nothing is done."""
TAKEN = {
    **ANSWER_ACTIONS,
    "hang_up_after": "do it, then the line breaks",
    "power_cut": "do it, then lose the power; the terminal starts again",
}
"""After taking it: it is done. An answer that is dropped, or sent twice, is the last
one: POSLink and ABECS acknowledge the request, ZVT says 80 00 and nothing after it."""
ACTIONS = frozenset(NOT_TAKEN | TAKEN)
_CHUNK = 4096
_INPUT_SPEED, _OUTPUT_SPEED, _CONTROL = 4, 5, 2
"""Places in what ``termios.tcgetattr`` gives."""


@dataclass(frozen=True)
class Voice:
    """What an answer goes out through; ``times`` it is to be sent: 0, 1 or 2."""

    send: Send
    times: int = 1


@dataclass(frozen=True)
class Errand:
    """A whole request: its name for the faults, and the work that answers it."""

    name: str
    work: Callable[[Voice], Awaitable[None]]


class Conversation(Protocol):
    """A protocol's answering machine on one line; ``nak`` is how it refuses.

    Once ``patience`` seconds have passed without bytes (None: never), ``expired``
    gives what to send then.
    """

    nak: bytes

    @property
    def patience(self) -> float | None: ...

    def receive(self, data: bytes) -> tuple[bytes, list[Errand]]: ...

    def expired(self) -> bytes: ...


class Unhurried:
    """Of a conversation that waits for bytes as long as they take."""

    patience: float | None = None

    def expired(self) -> bytes:
        return b""


class ShownLine(Protocol):
    """One direction of a line as people may see it."""

    def feed(self, data: bytes) -> list[str]: ...


class Face(Protocol):
    """What of a terminal speaks one protocol, on any number of lines."""

    stop_bits: int

    def converse(self, *, serial: bool) -> Conversation: ...

    def shown(self, *, serial: bool, answers: bool) -> ShownLine:
        """What the till says, or what the terminal answers, for people."""
        ...


@dataclass(frozen=True)
class Circuit:
    """What a session can do to its line, and to the power of the whole terminal."""

    send: Send
    hang_up: Callable[[], None]
    cut_power: Callable[[], None]


Record = Callable[[str], None]
"""Gets a line of text for each message: ``>`` from the till, ``<`` to it."""


@dataclass(frozen=True)
class Wiring:
    """What the lines of a terminal have in common."""

    face: Face
    faults: Faults
    cut_power: Callable[[], None]
    record: Record | None = None

    def session(
        self, *, serial: bool, send: Send, hang_up: Callable[[], None]
    ) -> Session:
        """A conversation from its start, on a line that can do these."""
        opened = partial(self.face.converse, serial=serial)
        if self.record is None:
            circuit = Circuit(send, hang_up, self.cut_power)
            return Session(opened, self.faults, circuit)
        heard = self._shown(">", self.face.shown(serial=serial, answers=False))
        told = self._shown("<", self.face.shown(serial=serial, answers=True))

        def send_too(data: bytes) -> None:
            told(data)
            send(data)

        circuit = Circuit(send_too, hang_up, self.cut_power)
        return Session(opened, self.faults, circuit, heard)

    def _shown(self, mark: str, line: ShownLine) -> Send:
        record = self.record

        def show(data: bytes) -> None:
            for text in line.feed(data):
                if record is not None:
                    record(f"{mark} {text}")

        return show


class Session:
    """Bytes of one line to the face and back; ``heard`` is told what arrives."""

    def __init__(
        self,
        opened: Callable[[], Conversation],
        faults: Faults,
        circuit: Circuit,
        heard: Send = lambda data: None,
    ) -> None:
        self._heard = heard
        self._opened = opened
        self._faults = faults
        self._circuit = circuit
        self._talk = opened()
        self._work: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def receive(self, data: bytes) -> None:
        self._heard(data)
        out, errands = self._talk.receive(data)
        faults = [self._faults.take(errand.name) for errand in errands]
        instead = [fault for fault in faults if fault and fault.action in NOT_TAKEN]
        if instead:
            return self._misbehave(instead[0], data)
        if out:
            self._circuit.send(out)
        for errand, fault in zip(errands, faults, strict=True):
            self._start(errand, fault)
        self._watch()

    def _start(self, errand: Errand, fault: Fault | None) -> None:
        work = asyncio.get_running_loop().create_task(self._run(errand, fault))
        self._work.add(work)
        work.add_done_callback(self._work.discard)

    def _misbehave(self, fault: Fault, data: bytes) -> None:
        nak = self._talk.nak
        self._talk = self._opened()  # it must not wait for an answer to send
        if fault.action == "hang_up":
            return self._circuit.hang_up()
        answers = {"nak": nak, "silence": b"", "garbage": fault.body or noise(data)}
        if out := answers[fault.action]:
            self._circuit.send(out)

    async def _run(self, errand: Errand, fault: Fault | None) -> None:
        action = fault.action if fault else ""
        times = times_sent(fault)
        await errand.work(Voice(spoken(fault, self._circuit.send), times))
        if times == 0:
            self._talk = self._opened()  # nothing is left to be repeated
        if action == "hang_up_after":
            self._circuit.hang_up()
        elif action == "power_cut":
            self._circuit.cut_power()

    def _watch(self) -> None:
        """``expired`` when the line has been quiet for the conversation's patience."""
        self._stop_watching()
        if (seconds := self._talk.patience) is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._fell_silent)

    def _fell_silent(self) -> None:
        if out := self._talk.expired():
            self._circuit.send(out)
        self._watch()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        self._stop_watching()
        for work in list(self._work):
            if work is not asyncio.current_task():
                work.cancel()


class PtyPort:
    """A serial line in software. ``path`` is what a client opens.

    The slave side stays open here, so that a client may close and open it again;
    after ``close`` a client reads the end, as after pulling the plug. A client that
    has set another speed is not understood, and understands nothing.

    A client finds the terminal's speed set.

    Raises:
        ValueError: no serial line has this speed.
        OSError: no pty can be had.
    """

    def __init__(self, wiring: Wiring, settings: LineSettings) -> None:
        self._speed = _speed(settings.baud)
        self._wrong_baud = settings.wrong_baud
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        _make_raw(self._slave, self._speed, settings.stop_bits)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._unsent = bytearray()
        self._session = wiring.session(serial=True, send=self._send, hang_up=self.close)
        pace = settings.seconds_a_byte
        self._inward = Pace(pace, self._session.receive)
        self._outward = Pace(pace, self._queue)
        self._loop.add_reader(self._master, self._readable)

    def close(self) -> None:
        """May be repeated."""
        if self._master < 0:
            return
        self._session.close()
        for pace in (self._inward, self._outward):
            pace.drop()
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
            self._inward.push(data)
        else:
            self._outward.push(self._garbled(data))

    def _same_speed(self) -> bool:
        import termios

        # Linux tells the master what a client has set on the slave.
        return bool(termios.tcgetattr(self._master)[_OUTPUT_SPEED] == self._speed)

    def _garbled(self, data: bytes) -> bytes:
        return noise(data) if self._wrong_baud == "garbage" else b""

    def _send(self, data: bytes) -> None:
        if self._master >= 0:
            self._outward.push(data if self._same_speed() else self._garbled(data))

    def _queue(self, data: bytes) -> None:
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


def _make_raw(handle: int, speed: int, stop_bits: int) -> None:
    import termios
    import tty

    tty.setraw(handle)
    settings = termios.tcgetattr(handle)
    settings[_INPUT_SPEED] = settings[_OUTPUT_SPEED] = speed
    settings[_CONTROL] |= termios.CSTOPB if stop_bits == 2 else 0
    termios.tcsetattr(handle, termios.TCSANOW, settings)


def noise(data: bytes) -> bytes:
    """What a receiver at another speed makes of it: smeared bits. The two set ones keep
    clear of every control byte, and of every byte that begins an APDU of ZVT."""
    return bytes(byte | byte >> 1 | 0xA0 for byte in data)


class _Connection(asyncio.Protocol):
    def __init__(self, wiring: Wiring, known: set[asyncio.Transport]) -> None:
        self._wiring = wiring
        self._known = known
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._session = self._wiring.session(
            serial=False, send=self._send, hang_up=self._hang_up
        )
        self._known.add(transport)

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._session.receive(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._session is not None:
            self._session.close()
        if self._transport is not None:
            self._known.discard(self._transport)

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _hang_up(self) -> None:
        if self._transport is not None:
            reset(self._transport)


class TcpPort(TcpListener):
    """A face on 127.0.0.1; ``port`` is known after ``start``."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(partial(_Connection, wiring))
