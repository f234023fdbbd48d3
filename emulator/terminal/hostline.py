"""The terminal's ISO 8583 side: signs in, settles, fetches what its host asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from emulator.terminal.core import TerminalCore
from protocols.errors import RemoteError
from protocols.iso8583 import FrameFeeder, Message, frame, keys, parameters
from protocols.iso8583.codec import Value
from protocols.iso8583.parameters import Management

T = TypeVar("T")
Address = tuple[str, int]
Fields = dict[int, Value]

_CURRENCY_CNY = "156"
_SIGN_IN_CODES = frozenset({"77", "A0"})
_SIGN_IN_REQUEST = 3
_DOWNLOAD_REQUESTS = frozenset({1, 4, 5, 6, 7, 8, 9})


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
        fresh = _trusted(lambda: keys.unwrap(answer.data(62), self._core.config.tmk))
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
        answer = await self._guarded("0800", parameters.DOWNLOAD, {})
        fetched = _trusted(lambda: parameters.read_list(answer.data(62)))
        self._core.parameters = fetched
        await self._guarded("0800", parameters.DOWNLOAD_END, {})

    async def settle(self) -> Message:
        """Send the totals; on a 00 the batch is closed.

        Raises:
            HostError: the batch is untouched, though the host may have settled it.
        """
        totals = self._core.totals().to_text()
        fields: Fields = {48: totals, 49: _CURRENCY_CNY}
        answer = await self._guarded("0500", parameters.SETTLE, fields)
        self._core.close_batch()
        return answer

    async def obey(self) -> None:
        """Do what the last answer's processing request asks for, once.

        Raises:
            HostError: the request stands and comes again with the next answer.
        """
        wanted = self._core.processing_request
        if wanted == _SIGN_IN_REQUEST:
            await self.sign_in()
        elif wanted in _DOWNLOAD_REQUESTS:
            await self.download()

    async def _guarded(self, mti: str, code: str, fields: Fields) -> Message:
        """With MAC; after 77 or A0, once more behind a fresh sign-in."""
        if self._core.working_keys is None:
            await self.sign_in()
        try:
            return await self._exchange(mti, code, fields, guarded=True)
        except HostRefused as refused:
            if refused.code not in _SIGN_IN_CODES:
                raise
        await self.sign_in()
        return await self._exchange(mti, code, fields, guarded=True)

    async def _exchange(
        self, mti: str, code: str, fields: Fields, *, guarded: bool = False
    ) -> Message:
        message = self._request(mti, code, fields)
        working = self._core.working_keys
        algorithm = self._core.config.mac_algorithm
        if guarded and working is not None:
            message = keys.sealed(message, working.mak, algorithm)
        answer = await self._carry(message)
        self._check(message, answer)
        self._core.processing_request = answer.header.request
        if (result := _trusted(lambda: answer.text(39))) != "00":
            raise HostRefused(result)
        if guarded and working is not None:
            self._check_mac(answer, working.mak)
        return answer

    def _request(self, mti: str, code: str, fields: Fields) -> Message:
        config = self._core.config
        head: Fields = {
            11: self._core.next_stan(),
            41: self._core.tid,
            42: config.mid,
            60: Management(code, self._core.batch).to_text(),
        }
        return Message(mti, {**head, **fields})

    def _check(self, message: Message, answer: Message) -> None:
        expected = f"{int(message.mti) + 10:04}"
        same = all(answer.fields.get(n) == message.fields[n] for n in (11, 41))
        if answer.mti != expected or not same:
            raise HostUntrusted("answer to another request")

    def _check_mac(self, answer: Message, mak: bytes) -> None:
        if not keys.mac_holds(answer, mak, self._core.config.mac_algorithm):
            raise HostUntrusted("MAC of the answer does not hold")

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


def _trusted(read: Callable[[], T]) -> T:
    try:
        return read()
    except RemoteError as error:
        raise HostUntrusted(str(error)) from None
