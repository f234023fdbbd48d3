"""The UnionPay POS host over TCP.

It checks what a real one checks: terminal and merchant known (97, 03), a fresh STAN
(94), the MAC of what moves money or parameters (A0), the batch number (77). Every
answer holds the processing request that the ledger keeps for the terminal. What it can
be asked is in ``isocalls``.

Faults it knows, in ``ACTIONS`` (``service`` names the message by MTI and 60.3, as in
``0500 201``; each message that arrives counts as one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from emulator.acquirer import isocalls
from emulator.acquirer.isocalls import (
    Entry,
    Fields,
    HostSettlement,
    Memory,
    Refusal,
    Request,
)
from emulator.acquirer.ledger import Ledger, TerminalRecord
from emulator.faults import Fault, Faults
from emulator.spoiling import ANSWER_ACTIONS, spoken, times_sent
from emulator.tcp import TcpListener, reset
from protocols.errors import ProtocolError
from protocols.iso8583 import FrameFeeder, Message, frame, parameters
from protocols.iso8583.keys import UNIONPAY, CipherProfile
from protocols.iso8583.parameters import Management

CHINA = timezone(timedelta(hours=8))
NOT_TAKEN = {
    "refuse": "answer ``body`` as field 39, or 96 (switch fault)",
    "silence": "answer nothing",
    "hang_up": "reset the connection",
}
"""Instead of taking the message: nothing is done."""
TAKEN = {
    **ANSWER_ACTIONS,
    "hang_up_after": "do it, then reset the connection",
    "lie": "do it, and answer for another terminal (41), with a MAC that holds",
    "unbalanced": "of a settlement: say that the totals differ (48), whatever they are",
}
"""After taking it: it is done."""
ACTIONS = frozenset(NOT_TAKEN | TAKEN)
_ECHOED = (11, 41, 42)
_ACQUIRER = "03062900"
_SWITCH_FAULT = "96"
_MACS = (64, 128)
_NOBODY = "99999999"


class Answered(NamedTuple):
    """An answer, or None where a fault kept the message from being taken; and the
    fault that struck."""

    message: Message | None
    fault: Fault | None


class IsoHost:
    """One host over one ledger.

    Args:
        ciphers: what working keys and MACs are made with.
        ca_keys: by (RID, index), what a download of CA keys gives.
        applications: by AID, what a download of chip parameters gives.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        ciphers: CipherProfile = UNIONPAY,
        ca_keys: Mapping[tuple[bytes, bytes], Entry] | None = None,
        applications: Mapping[bytes, Entry] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(CHINA),
    ) -> None:
        self.ledger = ledger
        self.ciphers = ciphers
        self.ca_keys = dict(ca_keys or {})
        self.applications = dict(applications or {})
        self.now = now
        self.faults = Faults(ACTIONS)
        self._memories: dict[str, Memory] = {}
        self._listener = TcpListener(lambda known: _Connection(known, self))

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
        """What is remembered of terminals beside the ledger, and every fault."""
        self.faults.clear()
        with self.ledger.locked():
            self._memories.clear()

    def memory(self, tid: str) -> Memory:
        """What is remembered of a terminal beside the ledger."""
        return self._memories.setdefault(tid, Memory())

    def settlements(self, tid: str) -> list[HostSettlement]:
        """What this terminal has settled, oldest first."""
        with self.ledger.locked():
            return list(self.memory(tid).settlements)

    def receive(self, message: Message) -> Answered:
        """As ``answer``, under whatever fault strikes now."""
        code = Management.from_text(message.text(60)).code
        fault = self.faults.take(f"{message.mti} {code}")
        if fault is None or fault.action not in NOT_TAKEN:
            return Answered(self.answer(message, fault), fault)
        if fault.action == "refuse":
            result = fault.body.decode("latin-1") or _SWITCH_FAULT
            return Answered(self._refusal(message, result), None)
        return Answered(None, fault)

    def answer(self, message: Message, fault: Fault | None = None) -> Message:
        """Raises RemoteError when there is nothing to answer to."""
        with self.ledger.locked():
            try:
                request = self._admit(message, fault)
                call = isocalls.CALLS[message.mti, request.management.code]
                return self._finish(request, {39: "00", **call.work(self, request)})
            except Refusal as refused:
                return self._refusal(message, refused.code)

    def _admit(self, message: Message, fault: Fault | None) -> Request:
        management = Management.from_text(message.text(60))
        call = isocalls.CALLS.get((message.mti, management.code))
        if call is None:
            raise Refusal("40")
        terminal = self._terminal(message, management)
        memory = self.memory(terminal.tid)
        lie = fault.action if fault else ""
        request = Request(message, management, terminal, memory, lie)
        if call.guarded and not self._mac_holds(request):
            raise Refusal("A0")
        if call.fresh:
            self._fresh(request)
        return request

    def _terminal(self, message: Message, management: Management) -> TerminalRecord:
        """Raises Refusal 97 or 03."""
        if management.code == parameters.UPDATE:
            return isocalls.by_serial(self.ledger, message)
        terminal = self.ledger.terminals.get(message.text(41))
        if terminal is None:
            raise Refusal("97")
        known = terminal.mid in self.ledger.merchants
        if not known or message.text(42) != terminal.mid:
            raise Refusal("03")
        return terminal

    def _fresh(self, request: Request) -> None:
        stan = request.message.text(11)
        if stan in request.memory.stans:
            raise Refusal("94")
        request.memory.stans.add(stan)

    def _mac_holds(self, request: Request) -> bool:
        working = request.terminal.working_keys
        if working is None:
            return False
        return self.ciphers.mac_holds(request.message, working[1])

    def _finish(self, request: Request, fields: Fields) -> Message:
        answer = self._shape(request.message, fields, request.terminal)
        if request.lie == "lie":
            answer = replace(answer, fields={**answer.fields, 41: _NOBODY})
        working = request.terminal.working_keys
        guarded = any(place in request.message.fields for place in _MACS)
        if not guarded or working is None:
            return answer
        return self.ciphers.sealed(answer, working[1])

    def _refusal(self, message: Message, code: str) -> Message:
        terminal = self.ledger.terminals.get(message.text(41))
        return self._shape(message, {39: code, 60: message.text(60)}, terminal)

    def _shape(
        self, message: Message, fields: Fields, terminal: TerminalRecord | None
    ) -> Message:
        now = self.now()
        echoed = {n: message.fields[n] for n in _ECHOED if n in message.fields}
        stamp: Fields = {
            12: f"{now:%H%M%S}",
            13: f"{now:%m%d}",
            32: _ACQUIRER,
            37: f"{now:%y%m%d}{message.text(11)}",
        }
        wanted = terminal.processing_request if terminal else 0
        return message.answer({**echoed, **stamp, **fields}, wanted)


class _Connection(asyncio.Protocol):
    """One terminal's connection; it is closed at the first unreadable byte."""

    def __init__(self, known: set[asyncio.Transport], host: IsoHost) -> None:
        self._known = known
        self._host = host
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
                self._answer(Message.from_bytes(payload), self._transport)
        except ProtocolError:
            self._transport.close()

    def _answer(self, message: Message, transport: asyncio.Transport) -> None:
        answer, fault = self._host.receive(message)
        if answer is not None:
            data = frame(answer.to_bytes()) * times_sent(fault)
            spoken(fault, transport.write)(data)
        if fault is not None and fault.action in ("hang_up", "hang_up_after"):
            reset(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._known.discard(self._transport)
