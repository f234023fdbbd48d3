"""The terminal's core as an ABECS pinpad: it has neither TID nor MID, clock nor batch.

What a pinpad needs a card, a PIN or a key for it does not know here, and answers as a
pinpad answers an unknown command (ERR 010); so do the two ends never trade secrets.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial

from emulator.terminal.core import TerminalCore
from emulator.terminal.hostline import HostLine
from emulator.terminal.ports import Errand, ShownLine, Voice
from protocols import abecs
from protocols.abecs import Command, Parameter, Pp, Response, Spe
from protocols.abecs.records import (
    FreeText,
    KernelInformation,
    NetworkInformation,
    PinpadInformation,
    TableLoad,
    TableVersion,
    TwoLines,
)
from protocols.errors import LocalError, RemoteError

VENDOR, SPEC_VERSION = "POSCTL EMULATOR", "2.12"
_NO_TABLES = "0000000000"
_SLOTS = 100
INVALID_CALL, BAD_PARAMETER, MISSING = "010", "011", "019"
_OK = abecs.OK


class AbecsFace:
    """Commands in, answers out.

    ``display`` is what a person would read on it. ``keys`` takes key presses for GKY,
    as the status that each is told by: 000 OK, 013 cancel, 004 to 007 F1 to F4.
    """

    stop_bits = 1

    def __init__(self, core: TerminalCore, host: HostLine | None = None) -> None:
        self._core = core
        self.display = ""
        self.keys: asyncio.Queue[str] = asyncio.Queue()
        self.media: dict[str, bytes] = {}
        self.tables: dict[str, str] = {}
        self._loading: TableLoad | None = None
        self._file: abecs.MediaFile | None = None
        self._received = bytearray()
        self._commands: dict[str, Callable[[Command], Awaitable[Response]]] = {
            "OPN": self._open,
            "CLO": self._two_lines,
            "CLX": self._close_extended,
            "DSP": self._two_lines,
            "RMC": self._two_lines,
            "DEX": self._free_text,
            "GIN": self._information,
            "GIX": self._facts,
            "GKY": self._key,
            "GTS": self._table_version,
            "TLI": self._begin_tables,
            "TLR": self._table_records,
            "TLE": self._end_tables,
            "MLI": self._begin_media,
            "MLR": self._media_data,
            "MLE": self._end_media,
            "LMF": self._list_media,
            "DMF": self._delete_media,
        }

    def converse(self, *, serial: bool) -> PinpadTalk:
        """It is the same on every line."""
        return PinpadTalk(self)

    def shown(self, *, serial: bool, answers: bool) -> ShownLine:
        return abecs.Shown(answers=answers)

    async def answer(self, request: Command) -> Response:
        """Never fails: a command that does not hold is answered 011, 010 or 019."""
        self._core.asked.append(request.code)
        handler = self._commands.get(request.code)
        if handler is None:
            return Response(abecs.NOT_KNOWN, INVALID_CALL)
        try:
            return await handler(request)
        except (RemoteError, LocalError):
            return Response(request.code, BAD_PARAMETER)

    async def _open(self, request: Command) -> Response:
        self.display = ""
        return Response("OPN")

    async def _two_lines(self, request: Command) -> Response:
        """Too little is padded, too much is cut (clause 6.5.5)."""
        block = b"".join(request.blocks[:1])[:32].ljust(32)
        self.display = TwoLines.from_block(block).text
        return Response(request.code)

    async def _close_extended(self, request: Command) -> Response:
        self.display = str(abecs.values(request).get(Spe.DSPMSG, ""))
        return Response("CLX")

    async def _free_text(self, request: Command) -> Response:
        self.display = FreeText.from_block(abecs.only_block(request)).text
        return Response("DEX")

    async def _information(self, request: Command) -> Response:
        index = abecs.only_block(request)[:2].decode("latin-1")
        config = self._core.config
        versions = (config.app_version[:13], SPEC_VERSION)
        known: dict[str, abecs.PinpadInformation | KernelInformation] = {
            "00": PinpadInformation(
                vendor=VENDOR,
                model=config.model[:19],
                contactless="",
                os_version=config.os_version[:20],
                spec_version=SPEC_VERSION,
                manager_version="",
                serial=config.serial[:20],
            ),
            "02": KernelInformation("Abecs", "", *versions),
        }
        told = known.get(index) or NetworkInformation("Abecs", *versions)
        return Response("GIN", blocks=(told.to_block(),))

    def facts(self) -> dict[int, str | int | bytes]:
        """What GIX tells, by identifier. No key is loaded, and none can be."""
        config = self._core.config
        none_loaded = "0" * _SLOTS
        versions = {
            abecs.parameters.TABLE_VERSION + int(index): version
            for index, version in self.tables.items()
        }
        return {
            Pp.SERNUM: config.serial[:32],
            Pp.MODEL: config.model[:20],
            Pp.MNNAME: VENDOR,
            Pp.CAPAB: "0000000000",
            Pp.SOVER: config.os_version[:20],
            Pp.SPECVER: SPEC_VERSION,
            Pp.APPVERS: config.app_version[:16].ljust(16),
            Pp.DSPTXTSZ: "0216",
            Pp.MKTDESP: none_loaded,
            Pp.MKTDESD: none_loaded,
            Pp.DKPTTDESP: none_loaded,
            Pp.DKPTTDESD: none_loaded,
            Pp.TLRMEM: 100_000,
            **versions,
        }

    async def _facts(self, request: Command) -> Response:
        known = self.facts()
        of_itself = [each for each in known if each < abecs.parameters.TABLE_VERSION]
        wanted = abecs.facts_wanted(request) or of_itself
        told = (Parameter(each, known[each]) for each in wanted if each in known)
        return abecs.response("GIX", *told)

    async def _key(self, request: Command) -> Response:
        return Response("GKY", await self.keys.get())

    async def _table_version(self, request: Command) -> Response:
        index = abecs.only_block(request)[:2].decode("latin-1")
        version = TableVersion(self.tables.get(index, _NO_TABLES))
        return Response("GTS", blocks=(version.to_block(),))

    async def _begin_tables(self, request: Command) -> Response:
        self._loading = TableLoad.from_block(abecs.only_block(request))
        self._received = bytearray()
        same = self.tables.get(self._loading.acquirer) == self._loading.version
        return Response("TLI", _OK if same else abecs.TABLES_DIFFER)

    async def _table_records(self, request: Command) -> Response:
        if self._loading is None:
            return Response("TLR", INVALID_CALL)
        self._received += b"".join(abecs.table_records(request))
        return Response("TLR")

    async def _end_tables(self, request: Command) -> Response:
        if self._loading is None:
            return Response("TLE", INVALID_CALL)
        self.tables.pop(self._loading.acquirer, None)
        if self._received:
            self.tables[self._loading.acquirer] = self._loading.version
        self._loading, self._received = None, bytearray()
        return Response("TLE")

    async def _begin_media(self, request: Command) -> Response:
        if not {Spe.MFNAME, Spe.MFINFO} <= abecs.values(request).keys():
            return Response("MLI", MISSING)
        self._file = abecs.MediaFile.from_command(request)
        self._received = bytearray()
        return Response("MLI")

    async def _media_data(self, request: Command) -> Response:
        if self._file is None:
            return Response("MLR", INVALID_CALL)
        parts = abecs.every(request, Spe.DATAIN)
        self._received += b"".join(part for part in parts if isinstance(part, bytes))
        return Response("MLR", _OK if parts else MISSING)

    async def _end_media(self, request: Command) -> Response:
        file, data = self._file, bytes(self._received)
        self._file, self._received = None, bytearray()
        if file is None:
            return Response("MLE", INVALID_CALL)
        if abecs.MediaFile.of(file.name, data, file.kind) != file:
            return Response("MLE", abecs.MEDIA_FAILED)
        self.media[file.name.upper()] = data
        return Response("MLE")

    async def _list_media(self, request: Command) -> Response:
        named = (Parameter(Pp.MFNAME, name) for name in self.media)
        return abecs.response("LMF", *named)

    async def _delete_media(self, request: Command) -> Response:
        names = abecs.every(request, Spe.MFNAME)
        for name in names:
            self.media.pop(str(name).upper(), None)
        return Response("DMF", _OK if names else MISSING)


class PinpadTalk:
    """One line's machine, and at most one command at work; CAN ends it."""

    nak = bytes([abecs.Control.NAK])

    def __init__(self, face: AbecsFace) -> None:
        self._face = face
        self._machine = abecs.Answering()
        self._work: asyncio.Task[None] | None = None

    @property
    def patience(self) -> float | None:
        return self._machine.wait if self._machine.inside else None

    def expired(self) -> bytes:
        return self._machine.expired()

    def receive(self, data: bytes) -> tuple[bytes, list[Errand]]:
        out, errands = b"", []
        for arrived in self._machine.receive(data):
            if arrived.cancelled and self._work is not None:
                self._work.cancel()
            out += arrived.out
            if (command := arrived.command) is not None:
                errands.append(Errand(command.code, partial(self._run, command)))
        return out, errands

    async def _run(self, command: Command, voice: Voice) -> None:
        self._work = asyncio.current_task()
        key = os.urandom(16) if abecs.wants_security(command) else None
        response = await self._face.answer(command)
        if key is not None:
            response = _secured(command, key)
        channel = abecs.Channel(key) if key and response.blocks else None
        answer = self._machine.respond(response, channel)
        if voice.times:
            voice.send(answer * voice.times)


def _secured(command: Command, key: bytes) -> Response:
    try:
        return abecs.answer_with_key(command, key)
    except RemoteError:
        return Response("OPN", BAD_PARAMETER)
