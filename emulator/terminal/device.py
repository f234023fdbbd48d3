"""A whole emulated terminal: core, host line, the face of its protocol, lines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.faults import Faults
from emulator.terminal.abecs import AbecsFace
from emulator.terminal.core import TerminalConfig, TerminalCore
from emulator.terminal.ecrhub import EcrHubFace
from emulator.terminal.hostline import Address, HostError, HostLine
from emulator.terminal.pacing import LineSettings
from emulator.terminal.ports import ACTIONS, Face, PtyPort, Record, TcpPort, Wiring
from emulator.terminal.poslink import PosLinkFace
from emulator.terminal.zvt import ZvtFace

if TYPE_CHECKING:
    from emulator.terminal.uart import Rfc2217Port

_FACES: dict[str, Callable[[TerminalCore, HostLine], Face]] = {
    "poslink": PosLinkFace,
    "zvt": ZvtFace,
    "abecs": AbecsFace,
    "ecrhub": EcrHubFace,
}


@dataclass(frozen=True)
class Endpoints:
    """Where the terminal answers; ``pty`` is a path, ``tcp`` and ``rfc2217`` (a serial
    line of the network) are ports of 127.0.0.1."""

    pty: str | None
    tcp: int | None
    rfc2217: int | None = None


class EmulatedTerminal:
    """Use from one event loop: ``await terminal.start()``, ``await terminal.stop()``.

    ``start`` signs in and downloads the parameters, so that the terminal shows a
    binding tag; when the host cannot be used, ``host_error`` says why and the
    terminal answers all the same. ``faults`` strike on every line; see ``ports``.
    ``face`` is what speaks: another one after a power cut.
    """

    def __init__(self, config: TerminalConfig, host: Address | None = None) -> None:
        self.core = TerminalCore(config)
        self.host = HostLine(self.core, host)
        self.host_error: HostError | None = None
        self.faults = Faults(ACTIONS)
        self.face = self._fresh_face()
        self.plugged: Callable[[Endpoints], None] = lambda endpoints: None
        """Told after each start by itself: a pty has another name then."""
        self.record: Record | None = None
        """Gets what is said on every line, from the next ``plug`` on."""
        self.core.restart = self._restart
        self._restarting: asyncio.Task[None] | None = None
        self._pty: PtyPort | None = None
        self._tcp: TcpPort | None = None
        self.rfc2217: Rfc2217Port | None = None

    async def start(self) -> Endpoints:
        """Raises OSError without a port or pty, ValueError for a speed that is none."""
        await self._try_host(self.host.sign_in, self.host.download)
        return await self.plug()

    async def plug(self) -> Endpoints:
        """The lines anew: another pty, the same TCP port. May be repeated."""
        await self.stop()
        config = self.core.config
        wiring = Wiring(self.face, self.faults, self._restart, self.record)
        settings = config.line(self.face.stop_bits)
        if config.pty:
            self._pty = PtyPort(wiring, settings)
        if config.rfc2217:
            await self._start_rfc2217(wiring, settings)
        if config.tcp:
            port = self._tcp.port if self._tcp else 0
            self._tcp = TcpPort(wiring)
            await self._tcp.start(port)
        return Endpoints(
            self._pty.path if self._pty else None,
            self._tcp.port if self._tcp else None,
            self.rfc2217.port if self.rfc2217 else None,
        )

    async def _start_rfc2217(self, wiring: Wiring, settings: LineSettings) -> None:
        from emulator.terminal.uart import Rfc2217Port  # pyserial: few benches need it

        port = self.rfc2217.port if self.rfc2217 else 0
        self.rfc2217 = Rfc2217Port(wiring, settings)
        await self.rfc2217.start(port)

    async def stop(self) -> None:
        """Unplug every line. May be repeated."""
        if self._restarting not in (None, asyncio.current_task()):
            self._restarting.cancel()
        if self._pty is not None:
            self._pty.close()
        for listener in (self._tcp, self.rfc2217):
            if listener is not None:
                await listener.stop()

    async def cut_power(self) -> None:
        """Off and on again, in the middle of whatever it does: what was not saved is
        gone. As it starts it signs in and obeys its host. ``plug`` gives the lines."""
        await self.stop()
        self.core.lose_power()
        self.face = self._fresh_face()
        await self._try_host(self.host.sign_in, self.host.obey)

    def _restart(self) -> None:
        self._restarting = asyncio.get_running_loop().create_task(self._start_anew())

    async def _start_anew(self) -> None:
        await self.cut_power()
        self.plugged(await self.plug())

    def _fresh_face(self) -> Face:
        return _FACES[self.core.config.protocol](self.core, self.host)

    async def _try_host(self, *calls: Callable[[], Awaitable[None]]) -> None:
        try:
            for call in calls:
                await call()
        except HostError as error:
            self.host_error = error
