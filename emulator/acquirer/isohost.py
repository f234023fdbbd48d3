"""The UnionPay POS host over TCP: sign in, echo, settle, parameter download.

It checks what a real one checks: terminal and merchant known (97, 03), a fresh STAN
(94), the MAC of settlement and download (A0), the batch number (77). Every answer
holds the processing request that the ledger keeps for the terminal. A batch settled
twice with the same totals gets the same answer and counts once; with others, 95.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from emulator.acquirer.ledger import Ledger, TerminalRecord
from emulator.tcp import TcpListener
from protocols.errors import ProtocolError
from protocols.iso8583 import (
    FrameFeeder,
    Message,
    ProcessingRequest,
    frame,
    keys,
    parameters,
)
from protocols.iso8583.codec import Value
from protocols.iso8583.parameters import Management, Totals

CHINA = timezone(timedelta(hours=8))
_ECHOED = (11, 41, 42)
_ACQUIRER = "03062900"


class _RefusedRequest(Exception):
    """A field 39 that is not 00."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True)
class HostSettlement:
    """What the host holds of a terminal's last settlement; amounts in fen."""

    batch: int
    totals: Totals
    time: datetime


@dataclass
class _Line:
    """What the host remembers of a terminal beside the ledger."""

    stans: set[str] = field(default_factory=set)
    version_sent: int = 0
    settlements: list[HostSettlement] = field(default_factory=list)


@dataclass(frozen=True)
class _Request:
    message: Message
    management: Management
    terminal: TerminalRecord
    line: _Line


Fields = dict[int, Value]


class IsoHost:
    """One host over one ledger. ``mac_algorithm``: see ``keys.MAC_ALGORITHMS``."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        mac_algorithm: str = "cup-ecb",
        now: Callable[[], datetime] = lambda: datetime.now(CHINA),
    ) -> None:
        self.ledger = ledger
        self._algorithm = mac_algorithm
        self._now = now
        self._lines: dict[str, _Line] = {}
        self._listener = TcpListener(lambda known: _Connection(known, self.answer))

    async def start(self, port: int = 0) -> int:
        """Listen on 127.0.0.1; the port taken."""
        return await self._listener.start(port)

    async def stop(self) -> None:
        """Close the listener and every connection. May be repeated."""
        await self._listener.stop()

    @property
    def port(self) -> int:
        return self._listener.port

    def forget(self) -> None:
        """What is remembered of terminals beside the ledger."""
        with self.ledger.locked():
            self._lines.clear()

    def settlements(self, tid: str) -> list[HostSettlement]:
        """What this terminal has settled, oldest first."""
        with self.ledger.locked():
            return list(self._line(tid).settlements)

    def answer(self, message: Message) -> Message:
        """Raises RemoteError when there is nothing to answer to."""
        with self.ledger.locked():
            try:
                request = self._admit(message)
                fields = self._handler(request)(request)
                return self._finish(request, {39: "00", **fields})
            except _RefusedRequest as refused:
                return self._refusal(message, refused.code)

    def _line(self, tid: str) -> _Line:
        return self._lines.setdefault(tid, _Line())

    def _admit(self, message: Message) -> _Request:
        management = Management.from_text(message.text(60))
        terminal = self.ledger.terminals.get(message.text(41))
        if terminal is None:
            raise _RefusedRequest("97")
        known = terminal.mid in self.ledger.merchants
        if not known or message.text(42) != terminal.mid:
            raise _RefusedRequest("03")
        return _Request(message, management, terminal, self._line(terminal.tid))

    def _handler(self, request: _Request) -> Callable[[_Request], Fields]:
        code = request.management.code
        handler, guarded = _HANDLERS.get((request.message.mti, code), (None, False))
        if handler is None:
            raise _RefusedRequest("40")
        if guarded and not self._mac_holds(request):
            raise _RefusedRequest("A0")
        if code not in parameters.SIGN_IN:
            self._fresh(request)
        return lambda asked: handler(self, asked)

    def _fresh(self, request: _Request) -> None:
        stan = request.message.text(11)
        if stan in request.line.stans:
            raise _RefusedRequest("94")
        request.line.stans.add(stan)

    def _mac_holds(self, request: _Request) -> bool:
        working = request.terminal.working_keys
        if working is None:
            return False
        return keys.mac_holds(request.message, working[1], self._algorithm)

    def _finish(self, request: _Request, fields: Fields) -> Message:
        answer = self._shape(request.message, fields, request.terminal)
        working = request.terminal.working_keys
        if 64 not in request.message.fields or working is None:
            return answer
        return keys.sealed(answer, working[1], self._algorithm)

    def _refusal(self, message: Message, code: str) -> Message:
        terminal = self.ledger.terminals.get(message.text(41))
        return self._shape(message, {39: code, 60: message.text(60)}, terminal)

    def _shape(
        self, message: Message, fields: Fields, terminal: TerminalRecord | None
    ) -> Message:
        now = self._now()
        echoed = {n: message.fields[n] for n in _ECHOED if n in message.fields}
        stamp: Fields = {
            12: f"{now:%H%M%S}",
            13: f"{now:%m%d}",
            32: _ACQUIRER,
            37: f"{now:%y%m%d}{message.text(11)}",
        }
        wanted = terminal.processing_request if terminal else 0
        return message.answer({**echoed, **stamp, **fields}, wanted)

    def _sign_in(self, request: _Request) -> Fields:
        terminal, code = request.terminal, request.management.code
        issued, length = _ISSUED[code]
        fresh = keys.WorkingKeys(*map(secrets.token_bytes, issued))
        terminal.working_keys = (fresh.pik, fresh.mak)
        request.line.stans.clear()
        if terminal.processing_request == ProcessingRequest.SIGN_IN_AGAIN:
            terminal.processing_request = ProcessingRequest.NONE
        management = Management(code, terminal.batch)
        return {
            60: management.to_text(),
            62: keys.wrap(fresh, terminal.tmk, length),
        }

    def _echo(self, request: _Request) -> Fields:
        return {60: request.message.text(60)}

    def _settle(self, request: _Request) -> Fields:
        terminal, batch = request.terminal, request.management.batch
        totals = Totals.from_text(request.message.text(48))
        done = next((s for s in request.line.settlements if s.batch == batch), None)
        if done is None:
            if batch != terminal.batch:
                raise _RefusedRequest("77")
            done = HostSettlement(batch, totals, self._now())
            request.line.settlements.append(done)
            terminal.batch = batch % 999999 + 1
        if done.totals != totals:
            raise _RefusedRequest("95")
        return {
            48: replace(totals, result=parameters.BALANCED).to_text(),
            60: request.message.text(60),
        }

    def _download(self, request: _Request) -> Fields:
        terminal = request.terminal
        merchant = self.ledger.merchants[terminal.mid]
        request.line.version_sent = merchant.version
        tag = self.ledger.binding_tag(terminal.tid)
        items = {
            parameters.TRANSACTION_TYPES: b"FFC0",
            parameters.MERCHANT_NAME: merchant.name.encode("gb18030"),
            parameters.MASTER_KEY_INDEX: b"1",
            parameters.BINDING_TAG: bytes.fromhex(tag.to_hex()),
        }
        return {60: request.message.text(60), 62: parameters.write_list(items)}

    def _download_end(self, request: _Request) -> Fields:
        terminal, line = request.terminal, request.line
        merchant = self.ledger.merchants[terminal.mid]
        if line.version_sent == merchant.version:
            terminal.processing_request = ProcessingRequest.NONE
            terminal.tag_version_fetched = merchant.version
        return {60: request.message.text(60)}


# Code of the sign-in -> bytes of each key issued, length of F62.
_ISSUED: Mapping[str, tuple[tuple[int, ...], int]] = {
    parameters.SIGN_IN_SINGLE: ((8, 8), 24),
    parameters.SIGN_IN_DOUBLE: ((16, 8), 40),
    parameters.SIGN_IN_TRACK: ((16, 16, 16), 60),
}

_Handler = Callable[[IsoHost, _Request], Fields]

# MTI and network management code -> handler, and whether the request needs a MAC.
_HANDLERS: Mapping[tuple[str, str], tuple[_Handler, bool]] = {
    **{("0800", code): (IsoHost._sign_in, False) for code in parameters.SIGN_IN},
    ("0800", parameters.ECHO): (IsoHost._echo, False),
    ("0820", parameters.ECHO): (IsoHost._echo, False),
    ("0500", parameters.SETTLE): (IsoHost._settle, True),
    ("0800", parameters.DOWNLOAD): (IsoHost._download, True),
    ("0800", parameters.DOWNLOAD_END): (IsoHost._download_end, True),
}


class _Connection(asyncio.Protocol):
    """One terminal's connection; it is closed at the first unreadable byte."""

    def __init__(
        self, known: set[asyncio.Transport], answer: Callable[[Message], Message]
    ) -> None:
        self._known = known
        self._answer = answer
        self._feeder = FrameFeeder()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._known.add(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        try:
            for payload in self._feeder.feed(data):
                answer = self._answer(Message.from_bytes(payload))
                self._transport.write(frame(answer.to_bytes()))
        except ProtocolError:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._known.discard(self._transport)
