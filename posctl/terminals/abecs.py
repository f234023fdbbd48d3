"""An ABECS pinpad, on a serial port or TCP.

It serves a till, and knows neither TID nor MID, no batch and no clock: all it tells is
who it is itself (GIX; older ones GIN). See docs/terminals.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, TypeVar

from posctl.links import ByteLink
from posctl.links.line import open_line
from posctl.links.recent import Recent
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, LinkFailed, LinkTimeout, Refused
from posctl.terminals import IDENTIFY, BatchTotals, Settlement, TerminalIdentity
from protocols import abecs
from protocols.abecs import Asking, Cancelling, Command, Response
from protocols.bindingtag import BindingTag
from protocols.errors import RemoteError
from protocols.sensitive import masked_text

_NAMESPACE = "abecs"
Meant = TypeVar("Meant")


def open_driver(address: str, *, baud: int, variables: Mapping[str, str]) -> Abecs:
    """No variable can be mapped: a pinpad has none. Raises as ``open_line``."""
    return Abecs(open_line(address, baud=baud))


class Abecs:
    """A TerminalDriver over a ByteLink, which it closes.

    Each call cancels what the pinpad may still be at, opens it, asks, closes it.
    """

    capabilities = frozenset({IDENTIFY})

    def __init__(self, link: ByteLink) -> None:
        self.link = link
        self.recent = Recent(link.name)
        self._answers = abecs.Shown(answers=True)

    @property
    def traffic(self) -> int:
        return self.link.bytes_out + self.link.bytes_in

    def identify(self, deadline: Deadline) -> TerminalIdentity:
        with self.recent.told():
            self.link.drain()
            self._cancel(deadline)
            self._good(abecs.OPEN, deadline)
            told = self._identity(deadline)
            self._good(abecs.close(), deadline)
        return told

    def read_variables(
        self, names: Iterable[str], deadline: Deadline
    ) -> dict[str, str | None]:
        return dict.fromkeys(names)

    def totals(self, deadline: Deadline) -> BatchTotals:
        """Raises CheckFailed ``terminal.cannot``, as ``settle`` does."""
        self._cannot("totals")

    def settle(self, deadline: Deadline) -> Settlement:
        self._cannot("settle")

    def binding_tag(self, deadline: Deadline) -> BindingTag | None:
        return None

    def close(self) -> None:
        self.link.close()

    def _cannot(self, what: str) -> NoReturn:
        raise CheckFailed("terminal.cannot", protocol=_NAMESPACE, what=what)

    def _identity(self, deadline: Deadline) -> TerminalIdentity:
        response = self._ask(abecs.get_facts(abecs.IDENTITY), deadline)
        if response.code == abecs.NOT_KNOWN:
            response = self._good(abecs.get_information(), deadline)
            return _of_information(_read(abecs.information, response))
        return _of_facts(_read(abecs.Facts.from_response, _held_good(response)))

    def _good(self, command: Command, deadline: Deadline) -> Response:
        return _held_good(self._ask(command, deadline))

    def _cancel(self, deadline: Deadline) -> None:
        heard, cancelling = self.link.bytes_in, Cancelling()
        self._send(cancelling.start(), deadline)
        while not cancelling.done:
            arrived = self._arrived(cancelling.wait, deadline)
            if arrived:
                cancelling.receive(arrived)
            else:
                again = self._or_silence(cancelling, heard)
                self._send(again, deadline)

    def _or_silence(self, cancelling: Cancelling, heard: int) -> bytes:
        """CAN once more, or what it means that none of them was confirmed."""
        try:
            return cancelling.expired()
        except abecs.Ended as error:
            came = self.link.bytes_in - heard
            if came not in (0, cancelling.skipped):
                raise LinkFailed("terminal.session", reason=error.reason) from None
            seconds = cancelling.wait * abecs.MAX_TRIES
            raise _nothing_heard(self.link.name, seconds, came) from None

    def _ask(self, command: Command, deadline: Deadline) -> Response:
        asking = Asking(command)
        self._send(asking.start(), deadline)
        while asking.response is None:
            arrived = self._arrived(asking.wait, deadline)
            try:
                reply = asking.receive(arrived) if arrived else asking.expired()
            except abecs.Ended as error:
                raise LinkFailed("terminal.session", reason=error.reason) from None
            except RemoteError as error:
                raise _unreadable(error) from None
            self._send(reply, deadline)
        return asking.response

    def _arrived(self, wait: float | None, deadline: Deadline) -> bytes:
        """Nothing once ``wait`` seconds have passed and the deadline has not."""
        left = deadline.remaining()
        sooner = Deadline(left if wait is None else min(wait, left))
        try:
            arrived = self.link.read(sooner)
        except LinkTimeout:
            if deadline.passed:
                raise self._late(deadline) from None
            return b""
        for text in self._answers.feed(arrived):
            self.recent.got(text)
        return arrived

    def _late(self, deadline: Deadline) -> LinkTimeout:
        told = {"link": self.link.name, "seconds": deadline.seconds}
        if self.link.bytes_in == 0:
            return LinkTimeout("terminal.silent", **told)
        return LinkTimeout("terminal.no_answer", **told)

    def _send(self, data: bytes, deadline: Deadline) -> None:
        if not data:
            return
        for text in abecs.Shown(answers=False).feed(data):
            self.recent.sent(text)
        self.link.write(data, deadline)


def _held_good(response: Response) -> Response:
    if response.code == abecs.NOT_KNOWN or response.status != abecs.OK:
        raise Refused(
            "terminal.refused",
            namespace=_NAMESPACE,
            raw=masked_text(response.status),
            text=f"{response.code} {response.meaning}",
            host_code="",
        )
    return response


def _of_facts(facts: abecs.Facts) -> TerminalIdentity:
    return _identified(
        facts.serial, facts.vendor, facts.model, facts.os_version, facts.app_version
    )


def _of_information(told: abecs.Information) -> TerminalIdentity:
    if not isinstance(told, abecs.PinpadInformation):
        raise LinkFailed("terminal.answer", protocol=_NAMESPACE, reason="GIN 00")
    return _identified(
        told.serial, told.vendor, told.model, told.os_version, told.manager_version
    )


def _identified(
    serial: str | None, vendor: str | None, model: str | None, *versions: str | None
) -> TerminalIdentity:
    return TerminalIdentity(
        serial=serial or None,
        model=" ".join(filter(None, (vendor, model))) or None,
        firmware=" ".join(filter(None, versions)) or None,
        tid=None,
        mid=None,
    )


def _read(reader: Callable[[Response], Meant], response: Response) -> Meant:
    try:
        return reader(response)
    except RemoteError as error:
        raise _unreadable(error) from None


def _unreadable(error: RemoteError) -> LinkFailed:
    return LinkFailed("terminal.answer", protocol=_NAMESPACE, reason=str(error))


def _nothing_heard(link: str, seconds: float, came: int) -> LinkTimeout:
    if came:
        return LinkTimeout("terminal.garbage", link=link, seconds=seconds, bytes=came)
    return LinkTimeout("terminal.silent", link=link, seconds=seconds)
