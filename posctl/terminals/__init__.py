"""What a terminal can be asked, whatever its protocol.

A protocol that cannot tell something says None, never a guess; ``capabilities`` names
what a driver can do at all. Drivers are imported when they are opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, UsageError
from protocols.sensitive import masked_text

if TYPE_CHECKING:
    from protocols.bindingtag import BindingTag

IDENTIFY, TOTALS, SETTLE = "identify", "totals", "settle"
VARIABLES, BINDING_TAG = "variables", "binding_tag"

# Our names for what a terminal's application shows as variables; a provider profile
# maps each to the application's own name.
VARIABLE_NAMES = (
    "tid",
    "mid",
    "merchant_name",
    "batch",
    "last_settlement",
    "clock",
    "binding_tag",
)


_SHAPES = {
    "tid": re.compile(r"[0-9A-Za-z]{1,12}"),
    "mid": re.compile(r"[0-9A-Za-z]{1,15}"),
    "batch": re.compile(r"[0-9]{1,6}"),
    "last_settlement": re.compile(r"[0-9]{14}"),
    "clock": re.compile(r"[0-9]{14}"),
    "binding_tag": re.compile(r"[0-9A-Fa-f]*"),
}
"""What those variables are made of; any other value is a free text."""


def safe_variable(name: str, value: str | None) -> str | None:
    """The value of a variable; where it is a free text, with its numbers masked:
    what a terminal's application keeps there is its own affair (R48)."""
    shape = _SHAPES.get(name)
    if value is None or (shape is not None and shape.fullmatch(value)):
        return value
    return masked_text(value)


@dataclass(frozen=True)
class TerminalIdentity:
    """Who the terminal is; None where its protocol cannot tell."""

    serial: str | None
    model: str | None
    firmware: str | None
    tid: str | None
    mid: str | None


@dataclass(frozen=True)
class BatchTotals:
    """The open batch: number of transactions, net amount in yuan."""

    count: int
    amount: Decimal


@dataclass(frozen=True)
class Settlement:
    """A closed batch. ``time`` is the terminal's own clock, without a zone; None where
    it told none."""

    batch: str | None
    totals: BatchTotals
    host_code: str
    time: datetime | None


class NotTaken(LinkFailed):
    """The terminal refused the request itself, as often as its protocol repeats one:
    nothing was begun."""


def ended(reason: str, *, taken: bool) -> LinkFailed:
    """The session ended without an answer; ``taken``: the terminal may have begun."""
    return (LinkFailed if taken else NotTaken)("terminal.session", reason=reason)


class TerminalDriver(Protocol):
    """One terminal on one line.

    Every method may raise LinkTimeout and LinkFailed (``link.*``, ``terminal.answer``,
    ``terminal.session``) and Refused ``terminal.refused`` with the terminal's code.
    """

    capabilities: frozenset[str]

    @property
    def traffic(self) -> int:
        """Bytes on the line so far, both ways."""
        ...

    def identify(self, deadline: Deadline) -> TerminalIdentity: ...

    def read_variables(
        self, names: Iterable[str], deadline: Deadline
    ) -> dict[str, str | None]:
        """By our names; None: not mapped, or the terminal has no value."""
        ...

    def totals(self, deadline: Deadline) -> BatchTotals: ...

    def settle(self, deadline: Deadline) -> Settlement:
        """Close the batch. After a LinkFailed that is not NotTaken the batch may be
        closed or not."""
        ...

    def binding_tag(self, deadline: Deadline) -> BindingTag | None: ...

    def close(self) -> None: ...


_DRIVERS = {
    "poslink": "posctl.terminals.poslink",
    "abecs": "posctl.terminals.abecs",
    "zvt": "posctl.terminals.zvt",
}
_GROUP = "posctl.terminals"
"""Entry points of packages that bring more."""
Opener = Callable[..., TerminalDriver]
"""``open_driver(address, *, baud, variables)``; opens the line and sends nothing."""


def protocol_names() -> list[str]:
    """Ours, and those that installed packages bring."""
    from importlib.metadata import entry_points

    return sorted({*_DRIVERS, *(point.name for point in entry_points(group=_GROUP))})


def open_terminal(
    protocol: str,
    address: str,
    *,
    baud: int = 9600,
    variables: Mapping[str, str] | None = None,
) -> TerminalDriver:
    """Open the line; nothing is sent yet.

    Args:
        protocol: one of ``protocol_names()``.
        address: as in ``posctl.links.line.open_line``.
        variables: our name to the application's name, from the provider profile; in
            ZVT, which tells some by fields of its own, only ``binding_tag`` has one.

    Raises:
        UsageError: ``terminal.protocol``, ``terminal.plugin``, ``terminal.variable``.
        PosctlError: as ``open_line``.
    """
    opener = _opener(protocol)
    mapped = dict(variables or {})
    if unknown := sorted(mapped.keys() - set(VARIABLE_NAMES)):
        raise UsageError("terminal.variable", names=unknown, known=VARIABLE_NAMES)
    return opener(address, baud=baud, variables=mapped)


def _opener(protocol: str) -> Opener:
    """Ours first: no plug-in takes the place of one."""
    from importlib.metadata import entry_points

    if protocol in _DRIVERS:
        return cast(Opener, import_module(_DRIVERS[protocol]).open_driver)
    for point in entry_points(group=_GROUP, name=protocol):
        try:
            return cast(Opener, point.load())
        except (ImportError, AttributeError) as error:
            reason = type(error).__name__
            raise UsageError("terminal.plugin", name=protocol, reason=reason) from error
    known = ", ".join(protocol_names())
    raise UsageError("terminal.protocol", protocol=protocol, known=known)
