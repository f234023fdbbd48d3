"""The field: the technician's laptop. It holds no provider credential."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path

from posctl.cards import cakeys
from posctl.change import orderfile
from posctl.change.order import Order, check_makers
from posctl.change.place import Place
from posctl.change.states import Holder, State
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.errors import CheckFailed, LinkFailed, UsageError
from posctl.model.profile import Subject
from posctl.store.files import read_json, remove
from posctl.store.keys import APPROVER, Operator, check_signature
from protocols.cardproof import Keys


@dataclass(frozen=True)
class Mandate:
    """Who may act for a merchant, in what, until which day (R15)."""

    agent: str
    scope: str
    until: str


@dataclass(frozen=True)
class TerminalList:
    """The merchant's terminal numbers as the provider gave them to the office, and what
    the office knows of it: its type, its owner's kind of document (``""``: not known),
    and who may act for it."""

    mid: str
    tids: tuple[str, ...]
    fetched: str
    signer: str
    subject: Subject | None = None
    mandates: tuple[Mandate, ...] = ()
    newest: tuple[str, str] = ("", "")
    """The merchant's last effective order, by whichever laptop, and since when."""
    papers: str = ""
    turnover: Decimal | None = None
    """What the merchant is expected to take a day, in yuan."""

    @property
    def moment(self) -> datetime:
        return moment(self.fetched)


def _newest(found: Json | None) -> tuple[str, str]:
    """Raises KeyError, TypeError."""
    return (str(found["order"]), str(found["since"])) if found else ("", "")


class FieldPlace(Place):
    """The field's store, its profile, and who works there."""

    holder = Holder.FIELD
    vouches = "order.opened"
    holder_name = ""
    bank_name = ""
    """Of the card that was just read: in memory only."""

    @cached_property
    def ca_keys(self) -> Keys:
        """By which chips prove themselves here.

        Raises:
            CheckFailed: ``cakeys.changed``, ``cakeys.test``.
            UsageError: ``cakeys.invalid``.
        """
        return cakeys.of_set_up(self.home, self.profile)

    def terminal_list(self, mid: str) -> TerminalList:
        """The list that the office fetched and signed for this merchant.

        Raises:
            CheckFailed: ``list.missing``, ``list.old``, ``list.damaged``,
                ``signature.*``.
        """
        path = self._list_file(mid)
        if not mid.isalnum() or not path.is_file():
            raise CheckFailed("list.missing", mid=mid)
        found = self._checked_list(path)
        if found.mid != mid:
            raise CheckFailed("list.damaged", path=str(path))
        oldest = self.clock.now() - timedelta(days=self.profile.identity.list_days)
        if found.moment < oldest:
            raise CheckFailed("list.old", mid=mid, fetched=found.fetched)
        return found

    def subject(self, mid: str) -> str:
        """The merchant's type; ``""`` where the office has not told it."""
        try:
            return self.terminal_list(mid).subject or ""
        except CheckFailed:
            return ""

    def _checked_list(self, path: Path) -> TerminalList:
        now = self.clock.now()
        try:
            data: Json = read_json(path)
            body = data["body"]
            signer = check_signature(
                self.trust, "terminal list", body, data["proof"], at=now
            )
            found = TerminalList(
                body["mid"],
                tuple(body["tids"]),
                body["fetched"],
                signer.name,
                body.get("subject"),
                tuple(Mandate(**mandate) for mandate in body.get("mandates", ())),
                _newest(body.get("effective")),
                str(body.get("papers", "")),
                Decimal(body["turnover"]) if body.get("turnover") else None,
            )
        except (UsageError, KeyError, TypeError, InvalidOperation):
            raise CheckFailed("list.damaged", path=str(path)) from None
        if signer.role != APPROVER:
            raise CheckFailed("signature.role", role=signer.role, needed=APPROVER)
        return found

    def replaced_by(self, order: Order) -> str:
        """Also by an order of another laptop: the office signed that with the list. Its
        age does not matter; one that is not to be believed says nothing."""
        number, since = self._newest_listed(order.mid)
        if order.effective_at and number and since > order.effective_at:
            return number
        return super().replaced_by(order)

    def _newest_listed(self, mid: str) -> tuple[str, str]:
        path = self._list_file(mid)
        if mid.isalnum() and path.is_file():
            with suppress(CheckFailed):
                found = self._checked_list(path)
                return found.newest if found.mid == mid else ("", "")
        return "", ""

    def _list_file(self, mid: str) -> Path:
        return self.home.field / "terminals" / f"{mid}.json"

    def _take(self, path: Path) -> Order:
        """Back from the office: nothing that is not the office's, or was not ours."""
        file = orderfile.read(path, self.trust, self.clock.now())
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

    def collect(self) -> None:
        """Also sweeps up what a run that died left of orders that need it no more."""
        super().collect()
        for path in (*self._folder("means"), *self._folder("outgoing")):
            known = self.log.projection(path.name.partition(".")[0])
            order = Order.from_json(known) if known else None
            if order and (order.final or order.state is State.EFFECTIVE):
                with suppress(LinkFailed):  # the next run tries again
                    remove(path)

    def _folder(self, name: str) -> list[Path]:
        folder = self.home.field / name
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def outgoing(self, number: str) -> Path:
        """The order file as it was sent, sealed pictures and all, until it is back."""
        return self.home.field / "outgoing" / orderfile.file_name(number)

    def boxes_file(self, number: str) -> Path:
        """The sealed pictures between sealing and the order file."""
        return self.home.field / "outgoing" / f"{number}.boxes"

    def tidy(self, number: str) -> None:
        """Remove what an order that has ended was worked on with."""
        for left in (self.means_file(number), self.boxes_file(number)):
            remove(left)

    def means_file(self, number: str) -> Path:
        """What an order is worked on with (reader, pictures); it never leaves here."""
        return self.home.field / "means" / f"{number}.json"


@dataclass(frozen=True)
class Session:
    """A field with an operator at work: no change is anonymous (R1)."""

    place: FieldPlace
    operator: Operator
