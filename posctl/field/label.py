"""A terminal without a cable: who it is, as a person reads it off its label.

Most terminals' cable protocols are not public. What is keyed in is one of the two
sources of an identity all the same; the office's list is the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from posctl.change.person import Person
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed
from posctl.terminals import BatchTotals, Settlement, TerminalIdentity
from protocols.bindingtag import BindingTag

ADDRESS = "label"
"""Of a terminal that no line leads to; also the profile's word for the protocol."""

_MID = re.compile(r"[0-9A-Za-z]{1,15}")
_TID = re.compile(r"[0-9A-Za-z]{1,12}")


class LabelDriver:
    """A ``TerminalDriver`` whose line is the person who looks at it.

    Args:
        wants_tid: False where the provider knows no terminals.
        mid: the merchant's number where it was given already.
    """

    capabilities = frozenset({"identify"})
    traffic = 0

    def __init__(self, person: Person, *, wants_tid: bool, mid: str | None) -> None:
        self._person = person
        self._wants_tid = wants_tid
        self._mid = mid
        self._identity: TerminalIdentity | None = None

    def identify(self, deadline: Deadline) -> TerminalIdentity:
        """Asked once; a person is given no deadline."""
        if self._identity is None:
            mid = self._mid or self._ask("ask.label_mid", _MID)
            tid = self._ask("ask.label_tid", _TID) if self._wants_tid else None
            self._identity = TerminalIdentity(None, None, None, tid, mid)
        return self._identity

    def _ask(self, question: str, shape: re.Pattern[str]) -> str:
        def check(text: str) -> str:
            if not shape.fullmatch(text.strip()):
                raise CheckFailed("label.form")
            return text.strip()

        return self._person.ask(question, check, secret=False)

    def read_variables(
        self, names: Iterable[str], deadline: Deadline
    ) -> dict[str, str | None]:
        """A label shows none."""
        return dict.fromkeys(names)

    def totals(self, deadline: Deadline) -> BatchTotals:
        raise CheckFailed("label.cannot", what="totals")

    def settle(self, deadline: Deadline) -> Settlement:
        raise CheckFailed("label.cannot", what="settle")

    def binding_tag(self, deadline: Deadline) -> BindingTag | None:
        return None

    def close(self) -> None:
        """There is no line."""
