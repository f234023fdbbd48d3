"""A terminal that speaks ZVT, on a serial port (8N2) or TCP.

A status enquiry (05 01) tells serial number, model, versions, TID and clock, where the
terminal is new enough, and changes nothing. Only where it tells no TID the terminal is
registered (06 00), which tells it, and logged off again: that puts the till's settings
back to those of a terminal that no till has registered, so the till must do so anew.
ZVT has no field for MID, batch number and last settlement. Our binding tag is a file
(08 11), whose ID belongs to the terminal's application.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from posctl.links import ByteLink
from posctl.links.line import open_line
from posctl.links.recent import Recent
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, Refused
from posctl.terminals import (
    BINDING_TAG,
    IDENTIFY,
    SETTLE,
    TOTALS,
    VARIABLES,
    BatchTotals,
    Settlement,
    TerminalIdentity,
    ended,
    safe_variable,
)
from posctl.terminals.silence import silence
from protocols import zvt
from protocols.bindingtag import BindingTag
from protocols.errors import RemoteError
from protocols.zvt import SERIAL, TCP, Apdu, Asking, Timers, Transport, messages
from protocols.zvt.messages import Message

_NAMESPACE = "zvt"
_STOP_BITS = 2
_DEFAULT_PASSWORD = "000000"  # noqa: S105  as terminals leave the factory
_LARGEST_FILE = 4096
_BUSY_SECONDS = 0.5
Given = TypeVar("Given")
Meant = TypeVar("Meant")


def open_driver(address: str, *, baud: int, variables: Mapping[str, str]) -> Zvt:
    """Raises as ``open_line``."""
    link = open_line(address, baud=baud, stop_bits=_STOP_BITS)
    return Zvt(link, TCP if address.startswith("tcp:") else SERIAL, variables)


class Zvt:
    """A TerminalDriver over a ByteLink, which it closes.

    Args:
        variables: of them only ``binding_tag``: the ID of the file it is kept in.
        password: of the terminal, 6 digits.
    """

    def __init__(
        self,
        link: ByteLink,
        transport: Transport,
        variables: Mapping[str, str],
        *,
        password: str = _DEFAULT_PASSWORD,
        timers: Timers | None = None,
    ) -> None:
        self.link = link
        self.recent = Recent(link.name)
        self._transport = transport
        self._password = password
        self._timers = timers or Timers()
        self._tag_file = variables.get("binding_tag")
        tag = {BINDING_TAG} if self._tag_file else set()
        self.capabilities = frozenset({IDENTIFY, VARIABLES, TOTALS, SETTLE} | tag)

    @property
    def traffic(self) -> int:
        return self.link.bytes_out + self.link.bytes_in

    def identify(self, deadline: Deadline) -> TerminalIdentity:
        report = self._report(deadline)
        return TerminalIdentity(
            serial=_read(lambda r: r.serial, report),
            model=_read(lambda r: r.model, report),
            firmware=_read(lambda r: r.firmware, report) or report.version or None,
            tid=self._tid(report, deadline),
            mid=None,
        )

    def read_variables(
        self, names: Iterable[str], deadline: Deadline
    ) -> dict[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(names)
        if found.keys() & {"tid", "clock"}:
            found.update(self._reported(found.keys(), deadline))
        if "binding_tag" in found and (data := self._tag(deadline)):
            found["binding_tag"] = data.hex().upper()
        return {name: safe_variable(name, value) for name, value in found.items()}

    def totals(self, deadline: Deadline) -> BatchTotals:
        asked = self._ask(messages.TurnoverTotals(self._password), deadline)
        return _totals(_status(asked))

    def settle(self, deadline: Deadline) -> Settlement:
        status = _status(self._ask(messages.EndOfDay(self._password), deadline))
        return Settlement(
            batch=None,
            totals=_totals(status),
            host_code=f"{status.result or 0:02X}",
            time=_moment(status, datetime.now()),
        )

    def binding_tag(self, deadline: Deadline) -> BindingTag | None:
        data = self._tag(deadline)
        return _read(BindingTag.from_hex, data.hex()) if data else None

    def close(self) -> None:
        self.link.close()

    # -- what is asked for it ------------------------------------------------------

    def _report(self, deadline: Deadline) -> messages.StatusReport:
        """A terminal that does not know the fields of the longer form refuses it."""
        longer = messages.StatusEnquiry(self._password, messages.MORE_STATUS, ())
        try:
            asked = self._ask(longer, deadline)
        except Refused:
            asked = self._ask(messages.StatusEnquiry(), deadline)
        return _read(messages.StatusReport.from_apdu, _end(asked))

    def _tid(self, report: messages.StatusReport, deadline: Deadline) -> str | None:
        told = _read(lambda r: r.tid, report)
        return told or self._register(deadline)

    def _register(self, deadline: Deadline) -> str | None:
        """The TID. Log-off leaves the terminal as it is without a registration."""
        config = messages.AFTER_LOG_OFF
        asked = self._ask(messages.Registration(self._password, config), deadline)
        self._ask(messages.LogOff(), deadline)
        return _read(messages.Completion.from_apdu, _end(asked)).tid

    def _reported(
        self, names: Iterable[str], deadline: Deadline
    ) -> dict[str, str | None]:
        report = self._report(deadline)
        clock = _read(lambda r: r.clock, report)
        told: dict[str, Callable[[], str | None]] = {
            "tid": lambda: self._tid(report, deadline),
            "clock": lambda: f"{clock:%Y%m%d%H%M%S}" if clock else None,
        }
        return {name: told[name]() for name in names if name in told}

    def _tag(self, deadline: Deadline) -> bytes | None:
        if self._tag_file is None:
            return None
        wanted = messages.File(file_id=self._tag_file.encode())
        asked = self._ask(messages.ReadFile((wanted,)), deadline)
        sent = [
            apdu for apdu in asked.said if apdu.control == messages.STATUS_INFORMATION
        ]
        if not sent:
            raise _unreadable(RemoteError("file missing", field="1C"))
        return _read(_joined, sent)

    # -- the exchange ------------------------------------------------------------------

    def _ask(self, command: Message, deadline: Deadline) -> Asking:
        """Again while the terminal is busy, which says that it has not begun."""
        while True:
            asking = Asking(command.to_apdu(), self._transport, self._timers)
            self._exchange(asking, deadline)
            error = _error(asking)
            if not error:
                return asking
            if error != messages.PLEASE_WAIT or deadline.remaining() < _BUSY_SECONDS:
                raise _refusal(error)
            time.sleep(_BUSY_SECONDS)

    def _exchange(self, asking: Asking, deadline: Deadline) -> None:
        heard = self.link.bytes_in
        with self.recent.told():
            try:
                self._talk(asking, deadline)
            except LinkTimeout as error:
                if error.params.get("what") != "read":
                    raise
                raise silence(
                    self.link,
                    came=self.link.bytes_in - heard,
                    skipped=asking.skipped,
                    seconds=_waited(deadline),
                ) from None

    def _talk(self, asking: Asking, deadline: Deadline) -> None:
        answers = zvt.Shown(self._transport)
        self.link.drain()
        self._send(asking.start(), deadline)
        while not asking.finished:
            self._step(asking, answers, deadline)
        try:
            while not asking.heard and not deadline.passed:
                self._step(asking, answers, deadline)
        except LinkFailed:
            return  # it has told all; whether it heard our last word does not matter

    def _step(self, asking: Asking, answers: zvt.Shown, deadline: Deadline) -> None:
        """What comes next, and the reply to it."""
        arrived = self._next(asking, deadline)
        for text in answers.feed(arrived):
            self.recent.got(text)
        try:
            reply = asking.receive(arrived) if arrived else asking.expired()
        except zvt.Ended as error:
            raise self._ended(error, bool(arrived), deadline) from None
        except RemoteError as error:
            raise _unreadable(error) from None
        if reply:
            self._send(reply, deadline)

    def _ended(
        self, error: zvt.Ended, by_terminal: bool, deadline: Deadline
    ) -> LinkFailed:
        """By its own deed, or because the protocol's times are over."""
        if by_terminal:
            return ended(error.reason, taken=error.reason != zvt.REFUSED)
        told = {"what": "read", "seconds": _waited(deadline), "link": self.link.name}
        return LinkTimeout("link.timeout", **told)

    def _next(self, asking: Asking, deadline: Deadline) -> bytes:
        """Empty when nothing came within the protocol's own time.

        Raises:
            LinkTimeout: ``link.timeout``: the deadline is over.
        """
        try:
            return self.link.read(Deadline(min(asking.patience, deadline.remaining())))
        except LinkTimeout:
            if deadline.passed:
                raise
            return b""

    def _send(self, data: bytes, deadline: Deadline) -> None:
        for text in zvt.Shown(self._transport).feed(data):
            self.recent.sent(text)
        self.link.write(data, deadline)


def _waited(deadline: Deadline) -> float:
    """Seconds since the deadline began."""
    return round(deadline.seconds - deadline.remaining(), 1)


def _error(asking: Asking) -> int:
    """Of the answer, or of the abort that came instead of the completion."""
    if asking.answer is not None and asking.answer.error:
        return messages.refusal(asking.answer)
    if asking.end is None or asking.end.control != messages.ABORTED:
        return messages.OK
    told = _read(messages.Aborted.from_apdu, asking.end).error
    return told or messages.SYSTEM_ERROR


def _end(asking: Asking) -> Apdu:
    if asking.end is None:
        raise _unreadable(RemoteError("completion expected"))
    return asking.end


def _status(asking: Asking) -> messages.StatusInformation:
    """The last one; a result other than 0 is a refusal."""
    told = [a for a in asking.said if a.control == messages.STATUS_INFORMATION]
    if not told:
        raise _unreadable(RemoteError("status information missing"))
    status = _read(messages.StatusInformation.from_apdu, told[-1])
    if status.result:
        raise _refusal(status.result)
    return status


def _totals(status: messages.StatusInformation) -> BatchTotals:
    if status.amount is None:
        raise _unreadable(RemoteError("total amount missing", field="04"))
    if status.totals is None:
        raise _unreadable(RemoteError("single totals missing", field="60"))
    return BatchTotals(status.totals.count, Decimal(status.amount).scaleb(-2))


def _moment(status: messages.StatusInformation, now: datetime) -> datetime | None:
    """ZVT tells no year: the one that is nearest to ``now``."""
    if status.day is None or status.time is None:
        return None
    years = (now.year - 1, now.year, now.year + 1)
    read = [_at(f"{year}{status.day}{status.time}") for year in years]
    possible = [moment for moment in read if moment is not None]
    return min(possible, key=lambda moment: abs(moment - now), default=None)


def _at(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _joined(sent: list[Apdu]) -> bytes:
    """The blocks of one file. Raises RemoteError: a gap, or more than 4 KiB."""
    data = b""
    for apdu in sent:
        for part in messages.FileSent.from_apdu(apdu).files:
            if part.start not in (None, len(data)):
                raise RemoteError("block out of its place", field="1E")
            data += part.block or b""
            if len(data) > _LARGEST_FILE:
                raise RemoteError("file too large", field="1C")
    return data


def _read(reader: Callable[[Given], Meant], given: Given) -> Meant:
    try:
        return reader(given)
    except RemoteError as error:
        raise _unreadable(error) from None


def _unreadable(error: RemoteError) -> LinkFailed:
    return LinkFailed("terminal.answer", protocol=_NAMESPACE, reason=str(error))


def _refusal(error: int) -> Refused:
    """Errors 01 to 63 are the host's own, in decimal (PA00P015 chapter 10)."""
    return Refused(
        "terminal.refused",
        namespace=_NAMESPACE,
        raw=f"{error:02X}",
        text=messages.ERRORS.get(error, ""),
        host_code=f"{error:02}" if error in messages.HOST_ERRORS else "",
    )
