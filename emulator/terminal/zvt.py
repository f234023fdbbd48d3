"""The ZVT face of a terminal.

Errors are of PA00P015 chapter 10; where it leaves a choice, this is the emulated
application's: 83 a wrong password, a file that is not there, and a command it does not
have; F0 a terminal ID while the turnover store is not empty; A1 a host that does not
answer, A3 one that cannot be reached, 75 one whose answer does not hold; 01 to 63 are
the host's own codes. After every error the batch is as it was.

A net amount below zero and more than 255 transactions cannot be told in ZVT: the
fields are left out then. Who prints is said by the
registration, which a power cut takes away; until there is one, the config byte is 86.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from emulator.terminal.core import NO_TID, TerminalCore
from emulator.terminal.hostline import (
    HostError,
    HostLine,
    HostSilent,
    HostUnreachable,
    HostUntrusted,
)
from emulator.terminal.ports import Errand, ShownLine, Voice
from protocols import zvt
from protocols.errors import RemoteError
from protocols.iso8583 import parameters
from protocols.zvt import Answering, Apdu, Control, Timers, Transport, messages
from protocols.zvt.messages import Aborted, Completion, File, Message

TAG_FILE = "posctlBindingTag"
"""ID of the file that holds our binding tag; ``aliases`` give it other names."""
_CURRENCIES = frozenset({None, messages.EURO, messages.YUAN})
_HOST_ERRORS: dict[type[HostError], int] = {
    HostSilent: messages.NO_RESPONSE,
    HostUnreachable: messages.NO_CONNECTION,
    HostUntrusted: messages.NOT_AUTHENTIC,
}
_BLOCK = 128
_TRIES = 3
_WAITING = 0x0E

End = Message | None
Handler = Callable[[Any, "Till"], Awaitable[End]]


class TillGone(Exception):
    """The till did not answer what was said to it in time."""


class Till:
    """The other end of one line, while a command of it is at work.

    ``waited_for``: something is to come from it, and its silence is noticed here.
    """

    def __init__(self, machine: Answering, voice: Voice) -> None:
        self.waited_for = False
        self._machine = machine
        self._voice = voice
        self._stirred = asyncio.Event()
        self._reply: Apdu | None = None

    async def answer(self, answer: Apdu) -> None:
        """Until it is acknowledged. Raises TillGone."""
        self._voice.send(self._machine.answer(answer))
        await self._until(lambda: self._machine.heard)

    async def lead(self, message: Message, *, last: bool = False) -> None:
        """Until it is replied to; ``reply`` has that. Raises TillGone."""
        if self._voice.times == 0:
            return
        self._reply = None
        said = self._machine.lead(message.to_apdu())
        self._voice.send(said * (self._voice.times if last else 1))
        await self._until(lambda: self._reply is not None)

    @property
    def reply(self) -> Apdu:
        return self._reply or messages.accepted()

    async def _until(self, done: Callable[[], bool]) -> None:
        self.waited_for = True
        while not done():
            self._stirred.clear()
            try:
                await asyncio.wait_for(self._stirred.wait(), self._machine.patience)
            except TimeoutError:
                self._repeat()
        self.waited_for = False

    def _repeat(self) -> None:
        try:
            self._voice.send(self._machine.expired())
        except zvt.Ended:
            raise TillGone from None

    def heard(self, replies: list[Apdu]) -> None:
        """Bytes have come from it, and in them maybe a reply."""
        self._reply = next(iter(replies), self._reply)
        self._stirred.set()


class ZvtTalk:
    """One line's machine, and one command at work."""

    def __init__(self, face: ZvtFace, transport: Transport) -> None:
        busy = messages.refused(messages.PLEASE_WAIT)
        serial = transport.acknowledged
        self.nak = bytes([Control.NAK]) if serial else busy.to_bytes()
        self._face = face
        self._machine = Answering(busy, transport, face.timers)
        self._till: Till | None = None

    @property
    def patience(self) -> float | None:
        """For the rest of a message; a till that is waited for has its own."""
        if self._till is not None and self._till.waited_for:
            return None
        return self._machine.patience if self._machine.inside else None

    def expired(self) -> bytes:
        """NAK; nothing where the message was cut off too often."""
        with suppress(zvt.Ended):
            return self._machine.expired()
        return b""

    def receive(self, data: bytes) -> tuple[bytes, list[Errand]]:
        out, got = self._machine.receive(data)
        if self._till is not None:
            self._till.heard([apdu for apdu in got if apdu.is_answer])
        commands = [apdu for apdu in got if not apdu.is_answer]
        return out, [Errand(c.name, partial(self._work, c)) for c in commands]

    async def _work(self, command: Apdu, voice: Voice) -> None:
        till = self._till = Till(self._machine, voice)
        with suppress(TillGone):
            await self._face.serve(command, till)
        till.waited_for = False


class ZvtFace:
    """Commands in; answers out, and what the terminal says while it leads."""

    stop_bits = 2

    def __init__(self, core: TerminalCore, host: HostLine) -> None:
        self.timers = Timers()
        self.config = messages.AFTER_LOG_OFF
        """The config byte of the last registration."""
        self._core = core
        self._host = host
        self._blocks = False
        self._turn = asyncio.Lock()
        commands: list[tuple[type[Message], Handler]] = [
            (messages.Registration, self._register),
            (messages.LogOff, self._log_off),
            (messages.StatusEnquiry, self._status),
            (messages.Diagnosis, self._diagnose),
            (messages.EndOfDay, self._end_day),
            (messages.TurnoverTotals, self._totals),
            (messages.PrintConfiguration, self._print_configuration),
            (messages.SetTerminalId, self._set_tid),
            (messages.SetClock, self._set_clock),
            (messages.ChangePassword, self._change_password),
            (messages.Initialisation, self._initialise),
            (messages.ChangeConfiguration, self._configure),
            (messages.ReadFile, self._read_file),
            (messages.WriteFile, self._write_file),
            (messages.DisplayText, self._show),
            (messages.PrintLine, self._print_line),
            (messages.PrintTextBlock, self._print_block),
            (messages.Abort, self._nothing),
        ]
        self._commands = {kind.CONTROL: (kind, work) for kind, work in commands}

    def converse(self, *, serial: bool) -> ZvtTalk:
        return ZvtTalk(self, zvt.SERIAL if serial else zvt.TCP)

    def shown(self, *, serial: bool, answers: bool) -> ShownLine:
        return zvt.Shown(zvt.SERIAL if serial else zvt.TCP)

    async def serve(self, command: Apdu, till: Till) -> None:
        """Raises TillGone."""
        self._core.asked.append(command.name)
        kind, handler = self._commands.get(command.control, (None, None))
        if kind is None or handler is None:
            return await till.answer(messages.refused(messages.FUNCTION_NOT_POSSIBLE))
        try:
            message = kind.from_apdu(command)
        except RemoteError as error:
            unknown = isinstance(error, zvt.UnknownField)
            code = messages.FUNCTION_NOT_POSSIBLE if unknown else messages.BROKEN
            return await till.answer(messages.refused(code))
        if (objection := self._objection(message)) is not None:
            return await till.answer(objection)
        if command.control in messages.WITHOUT_COMPLETION:
            await self._done(handler, message, till)
            return await till.answer(messages.accepted())
        await till.answer(messages.accepted())
        if (end := await self._done(handler, message, till)) is not None:
            await till.lead(end, last=True)

    async def _done(self, handler: Handler, message: Message, till: Till) -> End:
        async with self._turn:
            try:
                return await handler(message, till)
            except HostError as error:
                return Aborted(_host_error(error))
            except RemoteError:
                return Aborted(messages.BROKEN)

    def _objection(self, message: Message) -> Apdu | None:
        """Why it is not even begun: a wrong password, or another currency (2.1)."""
        if isinstance(message, messages.ChangePassword):
            given: str | None = message.old
        else:
            given = getattr(message, "password", None)
        if given is not None and given != self._core.password:
            return messages.refused(messages.FUNCTION_NOT_POSSIBLE)
        currency = getattr(message, "currency", None)
        if currency not in _CURRENCIES:
            told = bytes([messages.WRONG_CURRENCY]) + bytes.fromhex(messages.YUAN)
            return messages.refused(messages.ABORTED & 0xFF, told)
        return None

    # -- the till's own affairs --------------------------------------------------------

    async def _register(self, asked: messages.Registration, till: Till) -> End:
        self.config = asked.config
        self._blocks = messages.permits(asked.container, messages.PRINT_TEXT_BLOCK)
        return Completion(status=0, tid=self._core.tid, currency=asked.currency)

    async def _log_off(self, asked: messages.LogOff, till: Till) -> End:
        self.config, self._blocks = messages.AFTER_LOG_OFF, False
        return None

    async def _show(self, asked: messages.DisplayText, till: Till) -> End:
        self._core.display = asked.lines
        return None

    async def _print_line(self, asked: messages.PrintLine, till: Till) -> End:
        self._core.paper.append(asked.text)
        return None

    async def _print_block(self, asked: messages.PrintTextBlock, till: Till) -> End:
        self._core.paper.extend(asked.lines)
        return None

    async def _nothing(self, asked: messages.Abort, till: Till) -> End:
        return None

    # -- what it tells -----------------------------------------------------------------

    async def _status(self, asked: messages.StatusEnquiry, till: Till) -> End:
        config, service = self._core.config, asked.service or 0
        version = f"{config.app_name} {config.app_version}"
        told = self._told() if service & messages.MORE_STATUS else None
        bare = bool(service & messages.NO_VERSION)
        return messages.StatusReport(messages.OK, None if bare else version, told)

    def _told(self) -> messages.Objects:
        core, config = self._core, self._core.config
        return messages.status_objects(
            tid=core.tid,
            serial=config.serial,
            model=config.model,
            version=f"{config.os_version} {config.app_version}",
            state=messages.FRAUD if config.tampered else messages.OK,
            clock=core.now(),
        )

    async def _totals(self, asked: messages.TurnoverTotals, till: Till) -> End:
        core = self._core
        await till.lead(self._sums(core.count, core.amount, core.now()))
        return Completion()

    def _sums(
        self, count: int, amount: int, moment: datetime
    ) -> messages.StatusInformation:
        return messages.StatusInformation(
            result=messages.OK,
            amount=amount if amount >= 0 else None,
            totals=_single(count, amount),
            trace=f"{self._core.stan:06}",
            day=f"{moment:%m%d}",
            time=f"{moment:%H%M%S}",
        )

    async def _print_configuration(
        self, asked: messages.PrintConfiguration, till: Till
    ) -> End:
        core, config = self._core, self._core.config
        named = {
            "Model": config.model,
            "Serial": config.serial,
            "Terminal ID": core.tid,
            "Merchant ID": core.mid,
            "Version": f"{config.app_name} {config.app_version}",
        }
        lines = [f"{name}: {value}" for name, value in named.items()]
        await self._print(["CONFIGURATION", *lines], till)
        return Completion()

    async def _print(self, lines: list[str], till: Till) -> None:
        """Where the till wants administration receipts (2.1): on its own printer line
        by line or in a block, nowhere, or on the terminal's."""
        if not self.config & messages.PRINTS_ADMINISTRATION:
            self._core.paper.extend(lines)
        elif self.config & messages.PRINT_LINES and self._blocks:
            await till.lead(messages.PrintTextBlock(tuple(lines), messages.LAST_LINE))
        elif self.config & messages.PRINT_LINES:
            for line in lines:
                await till.lead(messages.PrintLine(line))
            await till.lead(messages.PrintLine("", messages.LAST_LINE))

    # -- with its host -----------------------------------------------------------------

    async def _waiting(self, till: Till) -> None:
        if self.config & messages.INTERMEDIATE:
            await till.lead(messages.IntermediateStatus(_WAITING))

    async def _end_day(self, asked: messages.EndOfDay, till: Till) -> End:
        core = self._core
        await self._waiting(till)
        count, amount, batch = core.count, core.amount, core.batch
        await self._host.settle()
        await self._obey_quietly()
        settled = core.last_settlement or core.now()
        await till.lead(self._sums(count, amount, settled))
        lines = [f"Batch {batch:06}", f"Transactions {count}"]
        await self._print(["END OF DAY", *lines], till)
        return Completion()

    async def _obey_quietly(self) -> None:
        """The batch is closed already: a failed download must not hide that."""
        try:
            await self._host.obey()
        except HostError:
            return

    async def _diagnose(self, asked: messages.Diagnosis, till: Till) -> End:
        await self._waiting(till)
        await self._host.echo()
        await self._host.obey()
        await till.lead(messages.EcrClock(self._core.now().replace(microsecond=0)))
        return Completion()

    async def _initialise(self, asked: messages.Initialisation, till: Till) -> End:
        await self._waiting(till)
        await self._host.sign_in()
        await self._host.obey()
        return Completion()

    # -- what changes it ---------------------------------------------------------------

    async def _set_tid(self, asked: messages.SetTerminalId, till: Till) -> End:
        """2.46: only while the turnover store is empty."""
        if self._core.transactions:
            return Aborted(messages.BATCH_OPEN)
        self._core.tid = asked.tid or NO_TID
        return Completion()

    async def _set_clock(self, asked: messages.SetClock, till: Till) -> End:
        self._core.set_time(asked.time)
        return Completion()

    async def _change_password(self, asked: messages.ChangePassword, till: Till) -> End:
        self._core.password = asked.new
        return Completion(result=messages.OK)

    async def _configure(self, asked: messages.ChangeConfiguration, till: Till) -> End:
        """What a block means is its manufacturer's: here it is kept."""
        for item in asked.files:
            self._core.files[item.file_id or b""] = item.block or b""
        return Completion(result=messages.OK)

    async def _read_file(self, asked: messages.ReadFile, till: Till) -> End:
        held = [self._file(item.file_id or b"") for item in asked.files]
        if None in held:
            return Aborted(messages.FUNCTION_NOT_POSSIBLE)
        for item, data in zip(asked.files, held, strict=True):
            for part in _parts(item, data or b""):
                await till.lead(messages.FileSent((part,)))
        return Completion(result=messages.OK)

    def _file(self, file_id: bytes) -> bytes | None:
        named = {TAG_FILE} | {a for a, n in self._core.config.aliases if n == TAG_FILE}
        if file_id in {name.encode() for name in named}:
            return self._core.parameters.get(parameters.BINDING_TAG, b"")
        return self._core.files.get(file_id)

    async def _write_file(self, asked: messages.WriteFile, till: Till) -> End:
        for item in asked.files:
            data = await self._fetched(item, till)
            if data is None:
                return Aborted(messages.BROKEN)
            self._core.files[item.file_id or b""] = data
        return Completion()

    async def _fetched(self, item: File, till: Till) -> bytes | None:
        """2.41.3: block after block; each is asked for three times at most."""
        data, tries = b"", 0
        while len(data) < (item.size or 0) and tries < _TRIES:
            wanted = File(item.file_id, len(data), item.size)
            await till.lead(messages.FileRequest((wanted,)))
            block = _block(till.reply, len(data))
            data, tries = data + block, 0 if block else tries + 1
        return data if len(data) == (item.size or 0) else None


def _block(reply: Apdu, start: int) -> bytes:
    """Empty where the reply is not the block that was asked for."""
    try:
        [sent] = messages.FileBlock.from_apdu(reply).files
    except (RemoteError, ValueError):
        return b""
    return (sent.block or b"") if sent.start == start else b""


def _parts(asked: File, data: bytes) -> list[File]:
    """One at least, so that an empty file is told as one."""
    begin, size = asked.start or 0, len(data)
    starts = range(begin, size, _BLOCK) or [begin]
    return [File(asked.file_id, at, size, data[at : at + _BLOCK]) for at in starts]


def _single(count: int, amount: int) -> messages.SingleTotals | None:
    """All in the group of other cards; None where that cannot be told."""
    if count > 0xFF or amount < 0:
        return None
    others = (count, amount)
    groups = ((0, 0),) * (len(messages.CARD_GROUPS) - 1)
    return messages.SingleTotals(1 if count else 0, count, (*groups, others))


def _host_error(error: HostError) -> int:
    known = _HOST_ERRORS.get(type(error))
    if known is not None:
        return known
    code = int(error.code) if error.code.isdecimal() else 0
    return code if 1 <= code <= 99 else messages.SYSTEM_ERROR
