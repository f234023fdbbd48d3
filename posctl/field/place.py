"""The field: the technician's laptop. It holds no provider credential."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from posctl.change import orderfile
from posctl.change.journal import Journal, exclusive
from posctl.change.order import Order, check_makers, fold
from posctl.change.person import Person
from posctl.change.states import Holder
from posctl.model.canonical import Json
from posctl.model.clock import Clock, moment
from posctl.model.errors import CheckFailed, UsageError
from posctl.store.eventlog import EventLog
from posctl.store.files import read_json, remove
from posctl.store.home import Home
from posctl.store.keys import APPROVER, Operator, check_signature
from posctl.store.profiles import Profile

INBOX_SECONDS = 10.0


@dataclass(frozen=True)
class TerminalList:
    """The merchant's terminal numbers as the provider gave them to the office."""

    mid: str
    tids: tuple[str, ...]
    fetched: str
    signer: str

    @property
    def moment(self) -> datetime:
        return moment(self.fetched)


class FieldPlace:
    """The field's store, its profile, and who works there."""

    holder = Holder.FIELD

    def __init__(self, home: Home, clock: Clock, person: Person) -> None:
        self.home = home
        self.clock = clock
        self.person = person
        self.holder_name = ""  # of the card just read: in memory only
        self.log = EventLog(home.field / "log.db", fold, clock)

    @cached_property
    def profile(self) -> Profile:
        return self.home.profile(self.clock.now())

    def journal(self, number: str) -> Journal:
        return Journal(self.log, self.holder, number)

    def orders(self) -> list[Order]:
        return [Order.from_json(p) for p in self.log.projections()]

    def terminal_list(self, mid: str) -> TerminalList:
        """The list that the office fetched and signed for this merchant.

        Raises:
            CheckFailed: ``list.missing``, ``list.old``, ``list.damaged``,
                ``signature.*``.
        """
        path = self.home.field / "terminals" / f"{mid}.json"
        if not mid.isalnum() or not path.is_file():
            raise CheckFailed("list.missing", mid=mid)
        found = self._checked_list(path)
        if found.mid != mid:
            raise CheckFailed("list.damaged", path=str(path))
        oldest = self.clock.now() - timedelta(days=self.profile.list_days)
        if found.moment < oldest:
            raise CheckFailed("list.old", mid=mid, fetched=found.fetched)
        return found

    def _checked_list(self, path: Path) -> TerminalList:
        now = self.clock.now()
        try:
            data: Json = read_json(path)
            body = data["body"]
            signer = check_signature(
                self.home.root, "terminal list", body, data["proof"], at=now
            )
            found = TerminalList(
                body["mid"], tuple(body["tids"]), body["fetched"], signer.name
            )
        except (UsageError, KeyError, TypeError):
            raise CheckFailed("list.damaged", path=str(path)) from None
        if signer.role != APPROVER:
            raise CheckFailed("signature.role", role=signer.role, needed=APPROVER)
        return found

    def collect(self) -> None:
        """Take in the order files that came back; one that is wrong is left there."""
        with exclusive(self.log, "inbox", wait=INBOX_SECONDS):
            for path in sorted(self._inbox()):
                try:
                    self.take(path)
                    remove(path)
                except CheckFailed as failure:
                    self.person.tell("inbox.refused", path=path, reason=failure.code)

    def _inbox(self) -> Iterator[Path]:
        return (self.home.field / "inbox").glob(f"*{orderfile.SUFFIX}")

    def take(self, path: Path) -> Order:
        """Take one order back. Doing it twice is harmless.

        Raises:
            CheckFailed: not the office's, altered, forked, or an older state.
        """
        file = orderfile.read(path, self.home.root, self.clock.now())
        if file.signer.role != APPROVER or file.sender is not Holder.OFFICE:
            raise CheckFailed("signature.role", role=file.signer.role, needed=APPROVER)
        known = len(self.log.events(file.number))
        if not known:
            raise CheckFailed("order.foreign", order=file.number)
        check_makers(file.events, known, Holder.OFFICE)
        self.log.absorb(file.events, file.attachments)
        journal = self.journal(file.number)
        order = journal.order
        if order.holder is Holder.FIELD and order.hash == file.head:
            order = journal.append("order.received", {"by": "field", "head": file.head})
            remove(self.outgoing(file.number))
        return order

    def outgoing(self, number: str) -> Path:
        """The order file as it was sent, sealed pictures and all, until it is back."""
        return self.home.field / "outgoing" / orderfile.file_name(number)

    def picture_paths(self, number: str) -> Path:
        """Where the pictures of an order are until they are sealed; stays here."""
        return self.home.field / "pictures" / f"{number}.json"


@dataclass(frozen=True)
class Session:
    """A field with an operator at work: no change is anonymous (R1)."""

    place: FieldPlace
    operator: Operator
