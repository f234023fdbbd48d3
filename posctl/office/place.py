"""The office: holds the provider's credentials, checks, approves, submits, signs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from posctl.change import orderfile
from posctl.change.journal import Journal
from posctl.change.order import Order, check_makers, fold, replay
from posctl.change.orderfile import OrderFile
from posctl.change.person import Person
from posctl.change.states import FINAL, Holder
from posctl.model.canonical import Json
from posctl.model.clock import Clock
from posctl.model.errors import CheckFailed, UsageError
from posctl.providers import Provider, open_provider
from posctl.store.eventlog import EventLog
from posctl.store.home import Home
from posctl.store.keys import TECHNICIAN, Operator, is_test_root, unprotect
from posctl.store.profiles import Profile


class OfficePlace:
    """The office's store. What needs no secret works without a passphrase."""

    holder = Holder.OFFICE

    def __init__(self, home: Home, clock: Clock, person: Person) -> None:
        self.home = home
        self.clock = clock
        self.person = person
        self.log = EventLog(home.office / "log.db", fold, clock)

    @cached_property
    def profile(self) -> Profile:
        return self.home.profile(self.clock.now())

    def journal(self, number: str) -> Journal:
        return Journal(self.log, self.holder, number)

    def orders(self) -> list[Order]:
        return [Order.from_json(p) for p in self.log.projections()]

    def order_path(self, number: str) -> Path:
        """Where the order file with its sealed pictures waits for the submission."""
        return self.home.office / "orders" / orderfile.file_name(number)

    def collect(self) -> None:
        """Take in the order files that arrived; one that is wrong is left there."""
        for path in sorted(self._inbox()):
            try:
                self.take(path)
            except CheckFailed as failure:
                self.person.tell("inbox.refused", path=path, reason=failure.code)

    def _inbox(self) -> Iterator[Path]:
        return (self.home.office / "inbox").glob(f"*{orderfile.SUFFIX}")

    def take(self, path: Path) -> Order:
        """Take one order over from the field. Doing it twice is harmless.

        Raises:
            CheckFailed: ``orderfile.*``, ``signature.*``, ``chain.*``; another profile
                (``profile.differs``); another open order (``office.order_open``).
        """
        file = self._read(path)
        known = len(self.log.events(file.number))
        check_makers(file.events, known, Holder.FIELD)
        if not known:
            self._check_new(file)
        self.log.absorb(file.events, file.attachments)
        journal = self.journal(file.number)
        order = journal.order
        if order.holder is Holder.OFFICE and order.hash == file.head:
            order = self._receive(journal, file, path)
        path.unlink(missing_ok=True)
        return order

    def _receive(self, journal: Journal, file: OrderFile, path: Path) -> Order:
        """The file stays until the provider has the pictures in it."""
        kept = self.order_path(file.number)
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        if journal.order.state not in FINAL:
            kept.write_bytes(path.read_bytes())
        return journal.append(
            "order.received",
            {
                "by": "office",
                "head": file.head,
                "signer": file.signer.name,
                "fingerprint": file.signer.fingerprint,
            },
        )

    def _read(self, path: Path) -> OrderFile:
        file = orderfile.read(path, self.home.root, self.clock.now())
        if file.signer.role != TECHNICIAN or file.sender is not Holder.FIELD:
            raise CheckFailed(
                "signature.role", role=file.signer.role, needed=TECHNICIAN
            )
        return file

    def _check_new(self, file: OrderFile) -> None:
        order = replay(file.events)
        if order.operator != file.signer.name:
            raise CheckFailed("signature.other", order=file.number)
        own = (self.profile.name, self.profile.version)
        if (order.profile, order.profile_version) != own:
            raise CheckFailed("profile.differs", order=file.number)
        for other in self.orders():
            same = other.mid == order.mid or other.tid == order.tid
            if same and not other.final:
                raise CheckFailed(
                    "office.order_open", order=file.number, other=other.number
                )

    def file_of(self, number: str) -> OrderFile:
        """The order file again, with its pictures."""
        return self._read(self.order_path(number))


@dataclass(frozen=True)
class Secrets:
    """What the office alone can open. ``repr`` shows nothing of it."""

    seal_key: X25519PrivateKey = field(repr=False)
    credentials: Json = field(repr=False)

    @property
    def tag_key(self) -> bytes | None:
        """The acquirer's key for the binding tag, where the office was given it."""
        text = self.credentials.get("tag_key")
        return bytes.fromhex(text) if text else None


def open_secrets(home: Home, passphrase: str | None) -> Secrets:
    """Raises CheckFailed ``passphrase.*``, UsageError ``office.missing``."""
    try:
        seal_box = (home.office / "seal.key").read_bytes()
        credentials_box = (home.office / "credentials.key").read_bytes()
    except OSError:
        raise UsageError("office.missing", path=str(home.office)) from None
    seal_key = X25519PrivateKey.from_private_bytes(unprotect(seal_box, passphrase))
    return Secrets(seal_key, json.loads(unprotect(credentials_box, passphrase)))


@dataclass(frozen=True)
class Session:
    """An office with an operator at work and its secrets open."""

    place: OfficePlace
    operator: Operator
    secrets: Secrets

    def provider(self) -> Provider:
        """The provider's calls, with the address and CA that the profile pins.

        Raises:
            CheckFailed: ``ca.changed``; ``root.test`` when a test root would meet a
                host that is not the emulator.
        """
        place, pinned = self.place, self.place.profile.in_force
        ca_file = place.home.office / "provider-ca.pem"
        if hashlib.sha256(ca_file.read_bytes()).hexdigest() != pinned.ca_sha256:
            raise CheckFailed("ca.changed", path=str(ca_file))
        local = pinned.url.startswith(("https://127.0.0.1:", "https://localhost:"))
        if is_test_root(place.home.root) and not local:
            raise CheckFailed("root.test", url=pinned.url)
        return open_provider(
            place.profile.provider,
            url=pinned.url,
            ca_file=ca_file,
            credentials=self.secrets.credentials,
            clock=place.clock.now,
        )
