"""A PAX terminal that speaks POSLink, on a serial port or TCP.

A00 tells serial number, model and versions; TID, MID and our binding tag come as A02
variables, whose names belong to the terminal's application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
from protocols import poslink
from protocols.bindingtag import BindingTag
from protocols.errors import RemoteError
from protocols.poslink import Asking, Request, Response
from protocols.sensitive import masked_text

_NAMESPACE = "poslink"
Given = TypeVar("Given")
Meant = TypeVar("Meant")


def open_driver(address: str, *, baud: int, variables: Mapping[str, str]) -> PosLink:
    """Raises as ``open_line``."""
    return PosLink(open_line(address, baud=baud), variables)


class PosLink:
    """A TerminalDriver over a ByteLink, which it closes."""

    def __init__(self, link: ByteLink, variables: Mapping[str, str]) -> None:
        self.link = link
        self.recent = Recent(link.name)
        self._variables = dict(variables)
        tag = {BINDING_TAG} if "binding_tag" in variables else set()
        self.capabilities = frozenset({IDENTIFY, VARIABLES, TOTALS, SETTLE} | tag)

    @property
    def traffic(self) -> int:
        return self.link.bytes_out + self.link.bytes_in

    def identify(self, deadline: Deadline) -> TerminalIdentity:
        response = self._ask(Request("A00"), deadline)
        shown = _read(poslink.Initialised.from_fields, response.fields)
        named = self.read_variables(("tid", "mid"), deadline)
        versions = f"{shown.os_version} {shown.app_version}".strip()
        return TerminalIdentity(
            serial=shown.serial,
            model=shown.model or None,
            firmware=versions or None,
            tid=named["tid"],
            mid=named["mid"],
        )

    def read_variables(
        self, names: Iterable[str], deadline: Deadline
    ) -> dict[str, str | None]:
        wanted = list(names)
        mapped = [name for name in wanted if name in self._variables]
        found: dict[str, str | None] = dict.fromkeys(wanted)
        for start in range(0, len(mapped), poslink.MAX_VARIABLES):
            group = mapped[start : start + poslink.MAX_VARIABLES]
            found.update(self._read_group(group, deadline))
        return found

    def totals(self, deadline: Deadline) -> BatchTotals:
        response = self._ask(Request("R00", (poslink.EDC_ALL,)), deadline)
        totals = _read(poslink.LocalTotals.from_fields, response.fields)
        return BatchTotals(totals.count, _yuan(totals.amount))

    def settle(self, deadline: Deadline) -> Settlement:
        response = self._ask(Request("B00"), deadline)
        closed = _read(poslink.BatchClosed.from_fields, response.fields)
        return Settlement(
            batch=closed.host.batch or None,
            totals=BatchTotals(closed.count, _yuan(closed.amount)),
            host_code=closed.host.code,
            time=closed.time,
        )

    def binding_tag(self, deadline: Deadline) -> BindingTag | None:
        text = self.read_variables(("binding_tag",), deadline)["binding_tag"]
        return None if text is None else _read(BindingTag.from_hex, text)

    def close(self) -> None:
        self.link.close()

    def _read_group(
        self, names: list[str], deadline: Deadline
    ) -> dict[str, str | None]:
        theirs = tuple(self._variables[name] for name in names)
        response = self._ask(poslink.get_variables(theirs), deadline)
        values = _read(lambda r: poslink.variables(r, theirs), response)
        found = {name: values[self._variables[name]] or None for name in names}
        return {name: safe_variable(name, value) for name, value in found.items()}

    def _ask(self, request: Request, deadline: Deadline) -> Response:
        response = self._exchange(Asking(request), deadline)
        if response.code != poslink.OK:
            raise _refusal(response)
        return response

    def _exchange(self, asking: Asking, deadline: Deadline) -> Response:
        heard = self.link.bytes_in
        with self.recent.told():
            try:
                return self._talk(asking, deadline)
            except LinkTimeout as error:
                if error.params.get("what") != "read":
                    raise
                raise silence(
                    self.link,
                    came=self.link.bytes_in - heard,
                    skipped=asking.skipped,
                    seconds=deadline.seconds,
                ) from None

    def _talk(self, asking: Asking, deadline: Deadline) -> Response:
        answers = poslink.Shown()
        self.link.drain()
        self._send(asking.start(), deadline)
        while asking.response is None:
            arrived = self.link.read(deadline)
            for text in answers.feed(arrived):
                self.recent.got(text)
            try:
                reply = asking.receive(arrived)
            except poslink.Ended as error:
                if error.farewell:
                    self._send(error.farewell, deadline)
                taken = error.reason != poslink.REFUSED
                raise ended(error.reason, taken=taken) from None
            except RemoteError as error:
                raise _unreadable(error) from None
            if reply:
                self._send(reply, deadline)
        return asking.response

    def _send(self, data: bytes, deadline: Deadline) -> None:
        for text in poslink.Shown().feed(data):
            self.recent.sent(text)
        self.link.write(data, deadline)


def _read(reader: Callable[[Given], Meant], given: Given) -> Meant:
    try:
        return reader(given)
    except RemoteError as error:
        raise _unreadable(error) from None


def _unreadable(error: RemoteError) -> LinkFailed:
    return LinkFailed("terminal.answer", protocol=_NAMESPACE, reason=str(error))


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def _refusal(response: Response) -> Refused:
    host = poslink.HostInformation.from_field(next(iter(response.fields), ""))
    return Refused(
        "terminal.refused",
        namespace=_NAMESPACE,
        raw=masked_text(response.code),
        text=masked_text(response.text),
        host_code=masked_text(host.code) if response.command == "B01" else "",
    )
