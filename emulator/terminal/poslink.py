"""The POSLink face of a terminal.

Codes of its answers (the emulated application's own choice): 000000 good; 000100
declined by the host, whose own code stands in the host information; 100001 the host
did not answer in time; 100003 request not readable; 100004 command not supported;
100007 host not reachable; 100009 the host's answer does not hold. After every code
but 000000 the batch is as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from emulator.terminal.core import TerminalCore
from emulator.terminal.hostline import (
    HostError,
    HostLine,
    HostRefused,
    HostSilent,
    HostUnreachable,
    HostUntrusted,
)
from emulator.terminal.ports import Errand, Voice
from protocols import poslink
from protocols.errors import LocalError
from protocols.poslink import (
    Answering,
    BatchClosed,
    Control,
    HostInformation,
    Request,
    Response,
)

BAD_REQUEST, UNSUPPORTED = "100003", "100004"
_HOST_CODES: dict[type[HostError], str] = {
    HostRefused: "000100",
    HostSilent: "100001",
    HostUnreachable: "100007",
    HostUntrusted: "100009",
}


class PosLinkFace:
    """Requests in, answers out, one at a time whatever the number of lines."""

    stop_bits = 1

    def __init__(self, core: TerminalCore, host: HostLine) -> None:
        self._core = core
        self._host = host
        self._turn = asyncio.Lock()
        self._commands: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "A00": self._initialise,
            "A02": self._variables,
            "A16": self._reset,
            "B00": self._close_batch,
            "R00": self._local_totals,
        }

    def converse(self, *, serial: bool) -> PosLinkTalk:
        """It is the same on every line."""
        return PosLinkTalk(self)

    async def answer(self, request: Request) -> Response:
        handler = self._commands.get(request.command, self._unsupported)
        self._core.asked.append(request.command)
        async with self._turn:
            try:
                return await handler(request)
            except HostError as error:
                return self._host_failed(request, error)

    async def _initialise(self, request: Request) -> Response:
        config = self._core.config
        shown = poslink.Initialised(
            serial=config.serial,
            model=config.model,
            os_version=config.os_version,
            app_name=config.app_name,
            app_version=config.app_version,
        )
        return _good(request, shown.to_fields())

    async def _variables(self, request: Request) -> Response:
        names = request.fields[1:]
        if not 1 <= len(names) <= poslink.MAX_VARIABLES:
            return _bad(request, BAD_REQUEST, "INVALID REQUEST")
        known = self._core.variables()
        return _good(request, tuple(known.get(name, "") for name in names))

    async def _reset(self, request: Request) -> Response:
        """Starts the application anew: it signs in and obeys its host."""
        await self._host.sign_in()
        await self._host.obey()
        return _good(request)

    async def _close_batch(self, request: Request) -> Response:
        core = self._core
        count, amount, batch = core.count, core.amount, core.batch
        answer = await self._host.settle()
        await self._obey_quietly()
        host = HostInformation(
            code=answer.text(39),
            text="APPROVED",
            reference=str(answer.fields.get(37, "")),
            trace=answer.text(11),
            batch=f"{batch:06}",
        )
        settled = core.last_settlement or core.now()
        ids = (core.tid, core.config.mid)
        closed = BatchClosed(host, count, amount, settled, *ids)
        return _good(request, closed.to_fields())

    async def _obey_quietly(self) -> None:
        """The batch is closed already: a failed download must not hide that."""
        try:
            await self._host.obey()
        except HostError:
            return

    async def _local_totals(self, request: Request) -> Response:
        totals = poslink.LocalTotals(self._core.count, self._core.amount)
        return _good(request, totals.to_fields())

    async def _unsupported(self, request: Request) -> Response:
        return _bad(request, UNSUPPORTED, "UNSUPPORTED COMMAND")

    def _host_failed(self, request: Request, error: HostError) -> Response:
        code = _HOST_CODES.get(type(error), BAD_REQUEST)
        fields = (HostInformation(code=error.code).to_field(),) if error.code else ()
        return _bad(request, code, str(error).upper(), fields)


class PosLinkTalk:
    """One line's machine, and one request at work."""

    nak = bytes([Control.NAK])

    def __init__(self, face: PosLinkFace) -> None:
        self._face = face
        self._machine = Answering()

    def receive(self, data: bytes) -> tuple[bytes, list[Errand]]:
        out, request = self._machine.receive(data)
        if request is None:
            return out, []
        return out, [Errand(request.command, partial(self._work, request))]

    async def _work(self, request: Request, voice: Voice) -> None:
        answer = self._machine.respond(await self._face.answer(request))
        if voice.times:
            voice.send(answer * voice.times)


def _good(request: Request, fields: tuple[str, ...] = ()) -> Response:
    return Response(_answer_name(request), poslink.OK, "OK", fields)


def _bad(
    request: Request, code: str, text: str, fields: tuple[str, ...] = ()
) -> Response:
    return Response(_answer_name(request), code, text, fields)


def _answer_name(request: Request) -> str:
    try:
        return poslink.answer_name(request.command)
    except LocalError:
        return request.command
