"""The terminal's ISO 8583 side: signs in, pays, settles, fetches what its host wants.

What is owed to the host comes first: a payment whose answer was lost is taken back
before anything else that needs a MAC, and a batch that was settled with other totals is
uploaded before it is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from emulator.terminal.core import PAYER, TerminalCore
from protocols.errors import RemoteError
from protocols.iso8583 import (
    FrameFeeder,
    Message,
    ProcessingRequest,
    batch,
    downloads,
    frame,
    parameters,
    values,
)
from protocols.iso8583.codec import Value
from protocols.iso8583.parameters import Management

T = TypeVar("T")
Address = tuple[str, int]
Fields = dict[int, Value]

_CURRENCY_CNY = "156"
_SIGN_IN_CODES = frozenset({"77", "A0"})
_NO_ORIGINAL = "25"
_NO_ANSWER, _BAD_ANSWER = "98", "A0"
"""Why a payment is taken back (39 of its reversal)."""
_PAYMENT_KIND = "22"
_IN_REVERSAL = (2, 3, 4, 11, 22, 25, 49)
_UPLOADED = (parameters.MERCHANT_NAME, parameters.MASTER_KEY_INDEX)
"""Of its parameters, those that the status tells."""


class HostError(Exception):
    """The host could not be used. ``code`` is its field 39, or empty."""

    code = ""


class HostUnreachable(HostError):
    """No connection, or it broke before the answer."""


class HostSilent(HostError):
    """No answer in time."""


class HostUntrusted(HostError):
    """An answer that does not hold: format, MAC, key check value, or not ours."""


class HostRefused(HostError):
    """Field 39 is not 00."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"host refused: {code}")


class HostLine:
    """One terminal's way to its host, a connection an exchange."""

    def __init__(self, core: TerminalCore, address: Address | None) -> None:
        self.address = address
        self._core = core

    async def sign_in(self) -> None:
        """Take working keys, clock and, when the batch is empty, its number.

        Raises:
            HostError: keys and clock stay as they were.
        """
        answer = await self._exchange("0800", parameters.SIGN_IN_DOUBLE, {})
        config = self._core.config
        fresh = _trusted(lambda: config.ciphers.unwrap(answer.data(62), config.tmk))
        batch = _trusted(lambda: Management.from_text(answer.text(60)).batch)
        self._core.working_keys = fresh
        if not self._core.transactions:
            self._core.batch = batch
        if {12, 13} <= answer.fields.keys():
            self._core.set_clock(answer.text(13), answer.text(12))

    async def echo(self) -> None:
        """Raises HostError."""
        await self._exchange("0820", parameters.ECHO, {})

    async def download(self) -> None:
        """Fetch the parameters and tell the host that they are stored.

        Raises:
            HostError: before the parameters came, the old ones are kept.
        """
        await self._download(parameters.DOWNLOAD, parameters.DOWNLOAD_END)

    async def fetch_tms(self) -> None:
        """The same from the terminal management system. Raises HostError."""
        await self._download(parameters.TMS, parameters.TMS_END)

    async def _download(self, begin: str, end: str) -> None:
        answer = await self._guarded("0800", begin, {})
        fetched = _trusted(lambda: values.parameter_list(answer))
        self._core.parameters = fetched
        await self._guarded("0800", end, {})

    async def pay(self, amount: int) -> None:
        """A payment of so many fen into the open batch.

        Raises:
            HostError: nothing was paid; where the host may have booked it, it is
                taken back before anything else is sent.
        """
        code, kind = parameters.PAYMENT, _PAYMENT_KIND
        fields: Fields = {2: PAYER, 3: "000000", 4: f"{amount:012}", 22: "012"}
        fields |= {25: "00", 49: _CURRENCY_CNY}
        try:
            await self._guarded("0200", code, fields, kind)
        except (HostSilent, HostUnreachable, HostUntrusted) as error:
            told = isinstance(error, HostUntrusted)
            self._owe(fields, _BAD_ANSWER if told else _NO_ANSWER)
            raise
        self._core.transactions.append(amount)

    def _owe(self, fields: Fields, why: str) -> None:
        sent = {**fields, 11: f"{self._core.stan:06}"}
        kept = {number: str(sent[number]) for number in _IN_REVERSAL}
        self._core.reversal = {**kept, 39: why}

    async def take_back(self) -> None:
        """The payment whose answer did not come. 25: the host never had it.

        Raises:
            HostError: it is still owed.
        """
        if self._core.reversal is None:
            return
        owed: Fields = dict(self._core.reversal)
        try:
            await self._sealed("0400", parameters.PAYMENT, owed, _PAYMENT_KIND)
        except HostRefused as refused:
            if refused.code != _NO_ORIGINAL:
                raise
        self._core.reversal = None

    async def settle(self) -> Message:
        """Send the totals; on a 00, and an upload where they differed, the batch is
        closed. The answer that closed it.

        Raises:
            HostError: the batch is untouched, though the host may have settled it.
        """
        if not self._core.upload_due:
            answer = await self._settle_totals()
        if self._core.upload_due:
            answer = await self._upload()
        self._core.close_batch()
        return answer

    async def _settle_totals(self) -> Message:
        totals = self._core.totals().to_text()
        fields: Fields = {48: totals, 49: _CURRENCY_CNY}
        answer = await self._guarded("0500", parameters.SETTLE, fields)
        result = _trusted(lambda: values.settlement(answer).domestic.result)
        self._core.upload_due = result == parameters.UNBALANCED
        return answer

    async def _upload(self) -> Message:
        """Whole, from the first record on, however far it had come before."""
        amounts = enumerate(self._core.transactions, 1)
        records = [batch.Record(f"{n:06}", PAYER, abs(fen)) for n, fen in amounts]
        for text in batch.messages(records):
            await self._exchange("0320", parameters.UPLOAD, {48: text})
        end: Fields = {48: batch.write_count(len(records))}
        return await self._exchange("0320", parameters.UPLOAD_END_UNBALANCED, end)

    async def sign_off(self) -> None:
        """The working keys are given up. Raises HostError."""
        await self._exchange("0820", parameters.SIGN_OFF, {})
        self._core.working_keys = None

    async def tell_status(self) -> None:
        """Raises HostError."""
        held = self._core.parameters
        told = {number: held[number] for number in _UPLOADED if number in held}
        fields: Fields = {62: parameters.write_list(told)}
        await self._exchange("0820", parameters.STATUS, fields)

    async def learn_numbers(self) -> None:
        """TID and MID by its serial number. Raises HostError."""
        serial: Fields = {62: values.serial_field(self._core.config.serial)}
        request = self._request("0800", parameters.UPDATE, serial)
        answer = await self._carry(request)
        self._check(request, answer, same=(11,))
        self._result(answer)
        self._core.tid, self._core.mid = _trusted(
            lambda: (answer.text(41), answer.text(42))
        )

    async def fetch_ca_keys(self) -> None:
        """Raises HostError: the old ones are kept."""
        codes = (parameters.CA_KEY_LIST, parameters.CA_KEY, parameters.CA_KEY_END)
        self._core.ca_keys = await self._fetch(*codes)

    async def fetch_applications(self) -> None:
        """Chip parameters. Raises HostError: the old ones are kept."""
        codes = (parameters.CHIP_LIST, parameters.CHIP, parameters.CHIP_END)
        self._core.applications = await self._fetch(*codes)

    async def _fetch(self, listed: str, one: str, end: str) -> list[downloads.Objects]:
        """The list, each entry of it, the end. An entry that the host has no more is
        left out."""
        found: list[downloads.Objects] = []
        for name in await self._names(listed):
            asked: Fields = {62: downloads.write_name(name)}
            answer = await self._exchange("0800", one, asked)
            entry = _trusted(partial(_entry, answer))
            found += [] if entry is None else [entry]
        await self._exchange("0800", end, {})
        return found

    async def _names(self, code: str) -> list[downloads.Objects]:
        names: list[downloads.Objects] = []
        while True:
            asked: Fields = {62: downloads.write_query(len(names))}
            answer = await self._exchange("0820", code, asked)
            told = _trusted(partial(_listing, answer))
            names += told.entries
            if not told.more:
                return names

    async def obey(self) -> None:
        """Do what the last answer's processing request asks for, once.

        Raises:
            HostError: the request stands and comes again with the next answer.
        """
        wanted = self._core.processing_request
        if wanted != ProcessingRequest.NONE:
            await self._obeyed(ProcessingRequest(wanted))

    async def _obeyed(self, wanted: ProcessingRequest) -> None:
        """What no other call is for comes with the parameters."""
        calls: dict[ProcessingRequest, Callable[[], Awaitable[None]]] = {
            ProcessingRequest.UPLOAD_STATUS: self.tell_status,
            ProcessingRequest.SIGN_IN_AGAIN: self.sign_in,
            ProcessingRequest.CA_KEYS: self.fetch_ca_keys,
            ProcessingRequest.CHIP_PARAMETERS: self.fetch_applications,
            ProcessingRequest.TMS_PARAMETERS: self.fetch_tms,
        }
        await calls.get(wanted, self.download)()

    async def _guarded(
        self, mti: str, code: str, fields: Fields, kind: str = "00"
    ) -> Message:
        """With MAC, and what is owed before it."""
        await self.take_back()
        return await self._sealed(mti, code, fields, kind)

    async def _sealed(self, mti: str, code: str, fields: Fields, kind: str) -> Message:
        """With MAC; after 77 or A0, once more behind a fresh sign-in."""
        if self._core.working_keys is None:
            await self.sign_in()
        try:
            return await self._exchange(mti, code, fields, kind, guarded=True)
        except HostRefused as refused:
            if refused.code not in _SIGN_IN_CODES:
                raise
        await self.sign_in()
        return await self._exchange(mti, code, fields, kind, guarded=True)

    async def _exchange(
        self,
        mti: str,
        code: str,
        fields: Fields,
        kind: str = "00",
        *,
        guarded: bool = False,
    ) -> Message:
        message = self._request(mti, code, fields, kind)
        working, ciphers = self._core.working_keys, self._core.config.ciphers
        if guarded and working is not None:
            message = ciphers.sealed(message, working.mak)
        answer = await self._carry(message)
        self._check(message, answer)
        self._result(answer)
        if guarded and working is not None:
            if not ciphers.mac_holds(answer, working.mak):
                raise HostUntrusted("MAC of the answer does not hold")
        return answer

    def _request(
        self, mti: str, code: str, fields: Fields, kind: str = "00"
    ) -> Message:
        core = self._core
        head: Fields = {
            41: core.tid,
            42: core.mid,
            60: Management(code, core.batch, kind).to_text(),
        }
        stan: Fields = {} if 11 in fields else {11: core.next_stan()}
        return Message(mti, {**head, **stan, **fields})

    def _check(
        self, message: Message, answer: Message, same: tuple[int, ...] = (11, 41)
    ) -> None:
        expected = f"{int(message.mti) + 10:04}"
        echoed = all(answer.fields.get(n) == message.fields[n] for n in same)
        if answer.mti != expected or not echoed:
            raise HostUntrusted("answer to another request")

    def _result(self, answer: Message) -> None:
        """Raises HostRefused, HostUntrusted."""
        self._core.processing_request = answer.header.request
        if (result := _trusted(lambda: answer.text(39))) != "00":
            raise HostRefused(result)

    async def _carry(self, message: Message) -> Message:
        try:
            async with asyncio.timeout(self._core.config.host_seconds):
                payload = await self._roundtrip(frame(message.to_bytes()))
        except TimeoutError:
            raise HostSilent("host did not answer in time") from None
        except OSError:
            raise HostUnreachable("host not reachable") from None
        return _trusted(lambda: Message.from_bytes(payload))

    async def _roundtrip(self, data: bytes) -> bytes:
        if self.address is None:
            raise ConnectionError
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(data)
            return await _first_payload(reader.read)
        finally:
            writer.close()


async def _first_payload(read: Callable[[int], Awaitable[bytes]]) -> bytes:
    feeder = FrameFeeder()
    while data := await read(4096):
        try:
            found = feeder.feed(data)
        except RemoteError as error:
            raise HostUntrusted(str(error)) from None
        if found:
            return found[0]
    raise ConnectionError


def _entry(answer: Message) -> downloads.Objects | None:
    return downloads.read_entry(answer.data(62))


def _listing(answer: Message) -> downloads.Listing:
    return downloads.Listing.from_bytes(answer.data(62))


def _trusted(read: Callable[[], T]) -> T:
    try:
        return read()
    except RemoteError as error:
        raise HostUntrusted(str(error)) from None
