"""Cards in PC/SC readers. PC/SC knows no deadline, so every call has a watchdog.

pyscard's low level (``smartcard.scard``) is used: its classes disconnect when they
are collected, which would hang on a mute card.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from posctl.links.recent import Recent
from posctl.links.watchdog import call_within
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, NoDevice, PosctlError
from protocols.apdu import Steps, as_tpdu, complete, run, shown, shown_answer

T = TypeVar("T")
_CLOSE_SECONDS = 1.0
# pcscd looks at its readers every 400 ms: so late it knows of a card pulled out.
_REMOVAL_MS = 600

# What a PC/SC result means (PC/SC part 5; pcsclite.h).
_ERRORS: dict[int, tuple[type[PosctlError], str]] = {
    0x80100009: (NoDevice, "reader.missing"),  # E_UNKNOWN_READER
    0x8010000B: (LinkFailed, "card.in_use"),  # E_SHARING_VIOLATION
    0x8010000C: (NoDevice, "card.none"),  # E_NO_SMARTCARD
    0x8010000F: (LinkFailed, "card.mute"),  # E_PROTO_MISMATCH: no usable ATR
    0x80100013: (LinkFailed, "pcsc.no_service"),  # F_COMM_ERROR: it died meanwhile
    0x80100016: (LinkFailed, "card.garbled"),  # E_NOT_TRANSACTED
    0x80100017: (NoDevice, "reader.missing"),  # E_READER_UNAVAILABLE
    0x8010001D: (LinkFailed, "pcsc.no_service"),  # E_NO_SERVICE
    0x8010001E: (LinkFailed, "pcsc.no_service"),  # E_SERVICE_STOPPED
    0x80100027: (LinkFailed, "pcsc.denied"),  # E_ACCESS_DENIED
    0x8010002E: (NoDevice, "reader.none"),  # E_NO_READERS_AVAILABLE
    0x80100066: (LinkFailed, "card.mute"),  # W_UNRESPONSIVE_CARD
    0x80100067: (LinkFailed, "card.mute"),  # W_UNPOWERED_CARD
    0x80100068: (LinkFailed, "card.in_use"),  # W_RESET_CARD: by another program
    0x80100069: (LinkFailed, "card.removed"),  # W_REMOVED_CARD
    0x8010006A: (LinkFailed, "pcsc.denied"),  # W_SECURITY_VIOLATION
}


def _scard() -> ModuleType:
    try:
        import smartcard.scard
    except (ImportError, OSError):
        raise NoDevice("pcsc.unavailable") from None
    module: ModuleType = smartcard.scard
    return module


def _failure(result: int, reader: str | None = None) -> PosctlError:
    kind, code = _ERRORS.get(result & 0xFFFFFFFF, (LinkFailed, "pcsc.failed"))
    params = {"reader": reader} if reader is not None else {}
    return kind(code, **params, pcsc=f"{result & 0xFFFFFFFF:08X}")


class _Service:
    """One context of the PC/SC service, for one call at a time.

    After a timeout its call still runs, until the card is pulled out. The release
    must wait for that: libpcsclite would hold a lock of the whole process meanwhile.
    """

    def __init__(self, reader: str | None, deadline: Deadline) -> None:
        self.scard = _scard()
        self.reader = reader
        self._idle = threading.Event()
        self.context: object = self.ask(
            deadline, "SCardEstablishContext", self.scard.SCARD_SCOPE_USER
        )

    def ask(self, deadline: Deadline, name: str, *arguments: object) -> Any:
        """Call PC/SC. Gives what comes beside the result, bare if it is one value.

        Raises:
            LinkTimeout: ``link.timeout``.
            NoDevice, LinkFailed: by the table of results.
        """
        return self.watched(deadline, lambda: self.now(name, *arguments), what=name)

    def watched(self, deadline: Deadline, call: Callable[[], T], *, what: str) -> T:
        """Any use of this context, by a worker; a watchdog waits outside.

        Raises:
            LinkTimeout: ``link.timeout``; and what ``call`` raises.
        """
        self._idle.clear()

        def work() -> T:
            try:
                return call()
            finally:
                self._idle.set()

        return call_within(deadline, work, what=what)

    def now(self, name: str, *arguments: object) -> Any:
        """As ``ask``, in this very thread: for a worker."""
        answer = getattr(self.scard, name)(*arguments)
        result, *values = answer if isinstance(answer, list) else [answer]
        if result != self.scard.SCARD_S_SUCCESS:
            raise _failure(result, self.reader)
        return values[0] if len(values) == 1 else values

    def release(self, card: object = None, leaving: int = 0) -> None:
        """Disconnect and release. Never raises, never waits for a stuck call."""
        scard = self.scard

        def let_go() -> None:
            self._idle.wait()
            if card is not None:
                scard.SCardDisconnect(card, leaving)
            scard.SCardReleaseContext(self.context)

        with suppress(LinkTimeout):
            seconds = _CLOSE_SECONDS if self._idle.is_set() else 0.0
            call_within(Deadline(seconds), let_go, what="SCardReleaseContext")


def list_readers(deadline: Deadline) -> list[str]:
    """Names of the readers, in the service's order; empty when there is none.

    Raises:
        NoDevice: ``pcsc.unavailable``.
        LinkFailed: ``pcsc.no_service``, ``pcsc.denied``, ``pcsc.failed``.
        LinkTimeout: ``link.timeout``.
    """
    service = _Service(None, deadline)
    try:
        return [str(name) for name in _names(service, deadline)]
    finally:
        service.release()


def _names(service: _Service, deadline: Deadline) -> list[object]:
    try:
        found = service.ask(deadline, "SCardListReaders", service.context, [])
        return list(found)
    except NoDevice:
        return []


class Seat(NamedTuple):
    """What the service knows of one reader. ``moves`` counts the cards that came
    and went; ``atr`` is empty without a card, and with one that is mute."""

    present: bool
    mute: bool
    atr: bytes
    moves: int


def seats(deadline: Deadline) -> dict[str, Seat]:
    """Every reader and what is in it, at this moment; no card is touched.

    Raises: as ``list_readers``; NoDevice ``reader.missing``: one left meanwhile.
    """
    service = _Service(None, deadline)
    scard = service.scard
    try:
        names = [str(name) for name in _names(service, deadline)]
        asked = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        seen = (
            service.ask(deadline, "SCardGetStatusChange", service.context, 0, asked)
            if names
            else []
        )
    finally:
        service.release()
    return {
        name: Seat(
            present=bool(state & scard.SCARD_STATE_PRESENT),
            mute=bool(state & scard.SCARD_STATE_MUTE),
            atr=bytes(atr),
            moves=state >> 16 & 0xFFFF,
        )
        for name, state, atr in seen
    }


class PcscLink:
    """The card in one reader, exclusive; shared, in a transaction, if it must be.

    Raises:
        NoDevice: ``pcsc.unavailable``, ``reader.missing``, ``card.none``.
        LinkFailed: ``pcsc.no_service``, ``pcsc.denied``, ``pcsc.failed``,
            ``card.mute``, ``card.in_use``.
        LinkTimeout: ``card.mute`` when the card answers nothing until the deadline.
    """

    def __init__(self, reader: str, deadline: Deadline) -> None:
        self.name = reader
        self.apdus = 0
        self.recent = Recent(reader)
        self._service = _Service(reader, deadline)
        self._card: object = None
        self._leaving = 0
        self._closed = False
        self._used_before = False
        try:
            look = self._service.watched(deadline, self._state, what="look")
            used = self._service.scard.SCARD_STATE_INUSE
            self._used_before = bool(look & used)
            self._connect(deadline)
            _, _, _, atr = self._ask(deadline, "SCardStatus", self._card)
            self._moves = (
                self._service.watched(deadline, self._state, what="look") >> 16
            )
        except PosctlError:
            self.close()
            raise
        self.atr = bytes(atr)

    def _connect(self, deadline: Deadline) -> None:
        scard = self._service.scard
        try:
            self._open(deadline, scard.SCARD_SHARE_EXCLUSIVE)
            self._leaving = scard.SCARD_UNPOWER_CARD
        except LinkFailed as error:
            if error.code != "card.in_use":
                raise
            self._open(deadline, scard.SCARD_SHARE_SHARED)
            self._leaving = scard.SCARD_LEAVE_CARD
            self._ask(deadline, "SCardBeginTransaction", self._card)

    def _open(self, deadline: Deadline, mode: int) -> None:
        scard = self._service.scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        self._card, active = self._ask(
            deadline, "SCardConnect", self._service.context, self.name, mode, protocols
        )
        self._t0 = active == scard.SCARD_PROTOCOL_T0

    def _ask(self, deadline: Deadline, name: str, *arguments: object) -> Any:
        """Each of these waits also for a transaction of another program to end, and
        meanwhile nothing else can be asked: libpcsclite has one lock for all."""
        try:
            return self._service.ask(deadline, name, *arguments)
        except LinkTimeout:
            if self._used_before:
                raise LinkFailed("card.in_use", reader=self.name) from None
            raise self._mute(deadline) from None

    def converse(self, steps: Steps[T], deadline: Deadline) -> T:
        """A whole conversation with the card, by one worker: a thread for each APDU
        would cost more than the APDU. The watchdog waits outside.

        Raises:
            LinkFailed: ``card.removed``, ``card.garbled`` (no status word),
                ``card.in_use`` (reset by another program), ``pcsc.no_service``.
            LinkTimeout: ``card.mute``; the link can only be closed then.
            And what the conversation raises.
        """

        def work() -> T:
            return run(steps, lambda raw: self._transmit(raw, deadline))

        try:
            return self._service.watched(deadline, work, what="SCardTransmit")
        except LinkTimeout:
            raise self._mute(deadline) from None

    def _mute(self, deadline: Deadline) -> LinkTimeout:
        return LinkTimeout("card.mute", reader=self.name, seconds=deadline.seconds)

    def _transmit(self, apdu: bytes, deadline: Deadline) -> bytes:
        """In the worker. One that was given up sends nothing more."""
        if deadline.passed:
            raise self._mute(deadline)
        scard = self._service.scard
        header = scard.SCARD_PCI_T0 if self._t0 else scard.SCARD_PCI_T1
        sent = list(as_tpdu(apdu) if self._t0 else apdu)
        self.apdus += 1
        self.recent.sent(shown(apdu))
        try:
            answer = bytes(self._service.now("SCardTransmit", self._card, header, sent))
        except LinkFailed as error:
            if error.code == "pcsc.denied":  # it was not, before: the service ends
                raise LinkFailed("pcsc.no_service") from None
            if error.code not in ("card.garbled", "card.removed"):
                raise
            answer = b""
        self.recent.got(shown_answer(answer))
        if not complete(answer):
            raise self._what_became()
        return answer

    def _state(self, milliseconds: int = 0, known: int = 0) -> int:
        """Of the reader, in a worker: the service's flags, and in the upper half how
        many cards came and went. ``known``: wait for another one than this."""
        context, asked = self._service.context, [(self.name, known)]
        seen = self._service.now("SCardGetStatusChange", context, milliseconds, asked)
        return int(seen[0][1])

    def _what_became(self) -> PosctlError:
        """Of the card that gave no whole answer: taken out, another one in its place,
        or there still; or of the reader, or the service. pcscd learns of a card at its
        next look only."""
        scard = self._service.scard
        state = scard.SCARD_STATE_UNAWARE
        for milliseconds in (0, _REMOVAL_MS):
            try:
                state = self._state(milliseconds, state) & ~scard.SCARD_STATE_CHANGED
            except PosctlError as failure:
                if failure.code == "reader.missing":
                    return failure
                return LinkFailed("pcsc.no_service")
            if not state & scard.SCARD_STATE_PRESENT:
                return LinkFailed("card.removed", reader=self.name)
            if state >> 16 != self._moves:
                return LinkFailed("card.swapped", reader=self.name)
        return LinkFailed("card.garbled", reader=self.name)

    def close(self) -> None:
        """Let the card go; after a timeout, as soon as the hanging call is back."""
        if not self._closed:
            self._closed = True
            self._service.release(self._card, self._leaving)
