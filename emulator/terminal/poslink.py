"""The POSLink face of a terminal.

Codes of its answers (the emulated application's own choice): 000000 good; 000100
declined by the host, whose own code stands in the host information; 100001 the host
did not answer in time; 100003 request not readable; 100004 command not supported;
100005 a variable that a till may not set; 100007 host not reachable; 100009 the host's
answer does not hold; 100023 no such transaction, file or signature. After every code
but 000000 the batch is as it was.

A cancel (A14) is acknowledged and ends nothing: no command here waits for a person.
"""

from __future__ import annotations

import asyncio
import binascii
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
from emulator.terminal.ports import Errand, ShownLine, Unhurried, Voice
from protocols import poslink
from protocols.errors import LocalError, RemoteError
from protocols.poslink import (
    Answering,
    BatchClosed,
    Control,
    HostInformation,
    Request,
    Response,
)

BAD_REQUEST, UNSUPPORTED = "100003", "100004"
NOT_SETTABLE, NOT_FOUND = "100005", "100023"
_SIGNATURE_PART, _LARGEST_FILE = 2000, 1_000_000
_REBOOT_SECONDS = 0.05
"""How long after its answer the lines go dead."""
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
            poslink.INITIALISE: self._initialise,
            poslink.GET_VARIABLE: self._variables,
            poslink.SET_VARIABLE: self._set_variables,
            poslink.GET_SIGNATURE: self._signature,
            poslink.RESET: self._reset,
            poslink.UPDATE_FILE: self._update_file,
            poslink.REBOOT: self._reboot,
            poslink.CHECK_FILE: self._check_file,
            poslink.CLOSE_BATCH: self._close_batch,
            poslink.LOCAL_TOTALS: self._local_totals,
            poslink.LOCAL_DETAIL: self._local_detail,
        }

    def converse(self, *, serial: bool) -> PosLinkTalk:
        """It is the same on every line."""
        return PosLinkTalk(self)

    def shown(self, *, serial: bool, answers: bool) -> ShownLine:
        return poslink.Shown()

    async def answer(self, request: Request) -> Response:
        handler = self._commands.get(request.command, self._unsupported)
        self._core.asked.append(request.command)
        async with self._turn:
            await asyncio.sleep(self._core.config.answers_after)
            try:
                return await handler(request)
            except HostError as error:
                return self._host_failed(request, error)
            except RemoteError:
                return _bad(request, BAD_REQUEST, "INVALID REQUEST")

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

    async def _set_variables(self, request: Request) -> Response:
        """What the acquirer set is not the till's to change."""
        core, told = self._core, poslink.assignments(request.fields)
        if not told.keys().isdisjoint(core.variables().keys() - core.settings.keys()):
            return _bad(request, NOT_SETTABLE, "VARIABLE NOT SETTABLE")
        core.settings |= told
        return _good(request)

    async def _signature(self, request: Request) -> Response:
        wanted = poslink.SignatureWanted.from_fields(request.fields)
        whole = self._core.signature
        if not whole or wanted.offset > len(whole):
            return _bad(request, NOT_FOUND, "NO SIGNATURE")
        end = wanted.offset + (wanted.length or _SIGNATURE_PART)
        part = poslink.Signature(len(whole), whole[wanted.offset : end])
        return _good(request, part.to_fields())

    async def _update_file(self, request: Request) -> Response:
        """Piece after piece; one that does not begin where the last one ended is
        refused, and the file with it."""
        core, piece = self._core, poslink.FilePiece.from_fields(request.fields)
        if piece.offset == 0:
            core.upload.clear()
        if piece.offset != len(core.upload) or piece.offset > _LARGEST_FILE:
            core.upload.clear()
            return _bad(request, BAD_REQUEST, "PIECE OUT OF ORDER")
        core.upload += piece.data
        if piece.last:
            core.files[f"resource {piece.kind}".encode()] = bytes(core.upload)
            core.upload.clear()
        return _good(request)

    async def _check_file(self, request: Request) -> Response:
        """The check sum is CRC-32 here, in hexadecimal."""
        name = next(iter(request.fields), "").encode()
        found = self._core.files.get(name)
        if found is None:
            return _bad(request, NOT_FOUND, "NO SUCH FILE")
        check = poslink.FileCheck(f"{binascii.crc32(found):08X}")
        return _good(request, check.to_fields())

    async def _reboot(self, request: Request) -> Response:
        """It answers, and then every line is dead until it is up again."""
        asyncio.get_running_loop().call_later(_REBOOT_SECONDS, self._core.restart)
        return _good(request)

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
        ids = (core.tid, core.mid)
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

    async def _local_detail(self, request: Request) -> Response:
        """By its number in the open batch. What else a transaction had, a card's
        number above all, this terminal does not keep."""
        wanted = poslink.DetailWanted.from_fields(request.fields)
        core, number = self._core, wanted.number or 1
        kinds = ("", poslink.REFUND if core.amount_of(number) < 0 else poslink.SALE)
        if not 1 <= number <= core.count or wanted.transaction_type not in kinds:
            return _bad(request, NOT_FOUND, "NOT FOUND")
        batch = HostInformation(batch=f"{core.batch:06}")
        amount = core.amount_of(number)
        found = poslink.Detail(batch, core.count, number, kinds[1], abs(amount))
        return _good(request, found.to_fields())

    async def _unsupported(self, request: Request) -> Response:
        return _bad(request, UNSUPPORTED, "UNSUPPORTED COMMAND")

    def _host_failed(self, request: Request, error: HostError) -> Response:
        code = _HOST_CODES.get(type(error), BAD_REQUEST)
        fields = (HostInformation(code=error.code).to_field(),) if error.code else ()
        return _bad(request, code, str(error).upper(), fields)


class PosLinkTalk(Unhurried):
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
