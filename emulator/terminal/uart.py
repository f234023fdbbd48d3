"""A serial line over the network (RFC 2217) in front of a software UART.

It honours what a pty cannot: 7 bits, parity, DTR and RTS, CTS, DSR and CD, break. The
telnet side is pyserial's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from emulator.tcp import Known, TcpListener, reset
from emulator.terminal.pacing import LineSettings, Pace
from emulator.terminal.ports import Wiring, noise

_MODEM_SECONDS = 0.05
"""How soon a client is told of a modem line that changed."""


class Uart:
    """The client's end of the wire, with the names that pyserial gives it.

    ``cts``, ``dsr``, ``cd`` and ``ri`` are what the terminal's side drives: set them.
    ``breaks`` counts the breaks that came; each makes the terminal forget what it was
    about to read.
    """

    def __init__(self, settings: LineSettings, broken: Callable[[], None]) -> None:
        self._settings = settings
        self._broken = broken
        self.baudrate = settings.baud
        self.bytesize = settings.bytesize
        self.parity = settings.parity
        self.stopbits: float = settings.stop_bits
        self.dtr = self.rts = False
        self.cts = self.dsr = self.cd = True
        self.ri = self.xonxoff = self.rtscts = False
        self.breaks = 0
        self._breaking = False

    @property
    def break_condition(self) -> bool:
        return self._breaking

    @break_condition.setter
    def break_condition(self, on: bool) -> None:
        if on and not self._breaking:
            self.breaks += 1
            self._broken()
        self._breaking = on

    def reset_input_buffer(self) -> None:
        """Nothing is held here: bytes go on as they come."""

    reset_output_buffer = reset_input_buffer

    @property
    def understood(self) -> bool:
        """Whether the client's settings are the terminal's. A receiver does not care
        how many stop bits follow."""
        own = self._settings
        wanted = (own.baud, own.bytesize, own.parity)
        return (self.baudrate, self.bytesize, self.parity) == wanted

    @property
    def connected(self) -> bool:
        """Whether the wire carries bytes at all."""
        return self.cd and (self.dtr or not self._settings.needs_dtr)

    def carried(self, data: bytes) -> bytes:
        """What of it arrives at the other end: 7 bits cut the eighth off."""
        if not self.connected:
            return b""
        if not self.understood:
            return noise(data) if self._settings.wrong_baud == "garbage" else b""
        return bytes(b & 0x7F for b in data) if self.bytesize == 7 else data


class Rfc2217Port(TcpListener):
    """A face behind a serial line of the network, on 127.0.0.1; ``port`` is known
    after ``start``. One client at a time; ``uart`` is of the one that is there."""

    def __init__(self, wiring: Wiring, settings: LineSettings) -> None:
        super().__init__(self._connection)
        self._told = (wiring, settings)
        self._taken: _Client | None = None

    def _connection(self, known: Known) -> asyncio.Protocol:
        client = _Client(known, *self._told)
        if self._taken is None or self._taken.gone:
            self._taken = client
        return client

    @property
    def uart(self) -> Uart | None:
        gone = self._taken is None or self._taken.gone
        return None if gone or self._taken is None else self._taken.uart


class _Client(asyncio.Protocol):
    def __init__(self, known: Known, wiring: Wiring, settings: LineSettings) -> None:
        self.gone = False
        self.uart = Uart(settings, self._begin)
        self._known, self._wiring, self._settings = known, wiring, settings
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._known.add(transport)
        self._begin()
        pace = self._settings.seconds_a_byte
        self._inward = Pace(pace, lambda data: self._session.receive(data))
        self._outward = Pace(pace, self._write)
        self._manager = _manager(self.uart, transport)
        self._poll()

    def _begin(self) -> None:
        """A conversation from its start."""
        self._session = self._wiring.session(
            serial=True, send=self._send, hang_up=self._hang_up
        )

    def data_received(self, data: bytes) -> None:
        arrived = b"".join(self._manager.filter(data))
        if not arrived:
            return
        carried = self.uart.carried(arrived)
        if self.uart.understood:
            self._inward.push(carried)
        else:
            self._outward.push(carried)

    def _send(self, data: bytes) -> None:
        self._outward.push(self.uart.carried(data))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing() and data:
            escaped: Iterable[bytes] = self._manager.escape(data)
            self._transport.write(b"".join(escaped))

    def _hang_up(self) -> None:
        if self._transport is not None:
            reset(self._transport)

    def _poll(self) -> None:
        self._manager.check_modem_lines()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_MODEM_SECONDS, self._poll)

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
        for pace in (self._inward, self._outward):
            pace.drop()
        self._session.close()
        if self._transport is not None:
            self._known.discard(self._transport)


def _manager(uart: Uart, transport: asyncio.Transport) -> Any:
    """pyserial's telnet side, which takes whatever has the attributes of a port. It is
    imported here because pyserial wants a system that has ports."""
    from serial.rfc2217 import PortManager

    make: Any = PortManager
    return make(uart, transport)
