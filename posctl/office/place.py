"""The office: holds the provider's credentials, checks, approves, submits, signs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from posctl.change import orderfile
from posctl.change.journal import exclusive, last_payload
from posctl.change.order import (
    RECEIVED,
    Order,
    check_makers,
    profile_of,
    replay,
    was_received,
)
from posctl.change.orderfile import OrderFile
from posctl.change.place import INBOX_SECONDS, Place
from posctl.change.states import Holder
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, UsageError
from posctl.providers import Provider, open_provider
from posctl.store.files import write_private
from posctl.store.home import Home
from posctl.store.keys import TECHNICIAN, Operator, Trust, is_test_root, unprotect

if TYPE_CHECKING:
    from posctl.providers.verification import VerificationService

OFFICE = "office"
"""Whose passphrase that of the office's secrets is, where no operator shares it."""


class OfficePlace(Place):
    """The office's store. What needs no secret works without a passphrase."""

    holder = Holder.OFFICE
    vouches = RECEIVED

    def order_path(self, number: str) -> Path:
        """Where the order file with its sealed pictures waits for the submission."""
        return self.home.office / "orders" / orderfile.file_name(number)

    def _take(self, path: Path) -> Order:
        """From the field. An order that is sound but may not go on (another profile,
        another order of the merchant under way) is refused, so that it can go back.
        """
        return self._take_file(self._read(path), path)

    def _take_file(self, file: OrderFile, path: Path) -> Order:
        events = self.log.events(file.number)
        check_makers(file.events, len(events), Holder.FIELD)
        known = any(was_received(event, Holder.OFFICE) for event in events)
        against = None if known else self._why_not(file)
        self.log.absorb(file.events, file.attachments)
        return self._receive(file, path, against)

    def take_to_end(self, path: Path, number: str) -> Order:
        """As ``take``, also where its maker's certificate was taken back meanwhile: no
        step but the end of the order is possible then, and somebody must end it.

        Raises:
            CheckFailed: as ``take``; ``orderfile.other``; ``signature.revoked`` for one
                that was here before.
        """
        with exclusive(self.log, "inbox", wait=INBOX_SECONDS):
            file = self._read(path, Trust(self.trust.root))
            if file.number != number:
                raise CheckFailed("orderfile.other", order=number, other=file.number)
            if self.log.events(number):
                return self._take(path)
            return self._take_file(file, path)

    def _receive(
        self, file: OrderFile, path: Path, against: CheckFailed | None
    ) -> Order:
        """The file stays until the provider has the pictures in it."""
        journal = self.journal(file.number)
        order = journal.order
        if order.holder is not Holder.OFFICE:
            return order
        fresh = order.hash == file.head
        if not order.final and (fresh or not order.application):
            write_private(self.order_path(file.number), path.read_bytes())
        if fresh:
            received: Json = {
                "by": "office",
                "head": file.head,
                "signer": file.signer.name,
                "fingerprint": file.signer.fingerprint,
                "profile": self.profile.name,
                "profile_version": self.profile.version,
            }
            order = journal.append("order.received", received, then=_refusal(against))
        return order

    def _read(self, path: Path, trust: Trust | None = None) -> OrderFile:
        file = orderfile.read(path, trust or self.trust, self.clock.now())
        if file.signer.role != TECHNICIAN or file.sender is not Holder.FIELD:
            raise CheckFailed(
                "signature.role", role=file.signer.role, needed=TECHNICIAN
            )
        order = replay(file.events)
        if order.holder is not Holder.OFFICE:
            raise CheckFailed("order.not_sent", order=file.number)
        whose = (_handed_over_by(file, order), f"{order.field_id}-")
        if whose != (file.signer.name, file.number[: len(whose[1])]):
            raise CheckFailed("signature.other", order=file.number)
        return file

    def _why_not(self, file: OrderFile) -> CheckFailed | None:
        """Why a new order may not go on here; None when it may (R14)."""
        order, profile = replay(file.events), self.profile
        if profile_of(order) != (profile.name, profile.version, profile.sha256):
            return CheckFailed("profile.differs", order=order.number)
        if order.steps != profile.verification.steps:
            return CheckFailed("order.steps", order=order.number, kind="order.opened")
        if order.confirm != profile.terminal.confirm:
            return CheckFailed("profile.differs", order=order.number)
        if order.fee != str(profile.fees.total):
            return CheckFailed("fee.differs", order=order.number, fee=order.fee)
        for other in self.orders_at(order.mid, order.tid):
            if other.blocks and other.number != order.number:
                return CheckFailed(
                    "office.order_open", order=order.number, other=other.number
                )
        return None

    def file_of(self, number: str) -> OrderFile:
        """The order file again, with its pictures: the one that was received.

        Raises:
            CheckFailed: ``orderfile.swapped``.
        """
        file = self._read(self.order_path(number))
        received = last_payload(self.log, number, "order.received")
        if (file.number, file.head) != (number, received["head"]):
            raise CheckFailed("orderfile.swapped", order=number)
        return file


def _handed_over_by(file: OrderFile, order: Order) -> str:
    """Its maker; once it is effective, whoever was at the terminal and closed it."""
    last = file.events[-1]
    if last.kind == "order.closed":
        return str(last.payload.get("operator", ""))
    return order.operator


def _refusal(against: CheckFailed | None) -> list[tuple[str, Json]]:
    """With the receipt or not at all: no order that was refused is ever found open."""
    if against is None:
        return []
    return [("order.refused", {**against.params, "reason": against.code})]


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


def secret_files(home: Home) -> tuple[Path, Path]:
    """The sealing key and the provider's credentials, each in a box."""
    return home.office / "seal.key", home.office / "credentials.key"


def open_secrets(home: Home, passphrase: str | None) -> Secrets:
    """Raises CheckFailed ``passphrase.*``, UsageError ``office.missing``."""
    seal_file, credentials_file = secret_files(home)
    if not seal_file.exists():
        raise UsageError("office.missing", path=str(home.office))
    seal_key = unprotect(seal_file, passphrase)
    credentials = unprotect(credentials_file, passphrase)
    try:
        return Secrets(
            X25519PrivateKey.from_private_bytes(seal_key), json.loads(credentials)
        )
    except ValueError:
        raise UsageError("setup.damaged", path=str(home.office)) from None


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
        place, url = self.place, self.place.profile.in_force.url
        return open_provider(
            place.profile.provider,
            url=url,
            ca_file=self._trusted_for(url),
            credentials=self.secrets.credentials,
            clock=place.clock.now,
        )

    def verification(self) -> VerificationService:
        """The verification service, where the set-up has one: its address is in the
        credentials, its host chains to the provider's pinned CA.

        Raises:
            CheckFailed: ``verification.not_set_up``, ``ca.changed``, ``root.test``.
        """
        from posctl.providers.verification import open_verification

        credentials = self.secrets.credentials
        url = check_verification(self.place.profile.name, credentials)
        return open_verification(credentials, ca_file=self._trusted_for(url))

    def _trusted_for(self, url: str) -> Path:
        """The CA file, unaltered; and no test root meets a real host."""
        place = self.place
        ca_file, pinned = place.home.office / "provider-ca.pem", place.profile.in_force
        if not ca_file.is_file() or _sha256(ca_file) != pinned.ca_sha256:
            raise CheckFailed("ca.changed", path=str(ca_file))
        local = url.startswith(("https://127.0.0.1:", "https://localhost:"))
        if is_test_root(place.home.root) and not local:
            raise CheckFailed("root.test", url=url)
        return ca_file


def check_verification(profile: str, credentials: Json) -> str:
    """The service's address. Raises CheckFailed ``verification.not_set_up`` where the
    credentials hold nothing of it."""
    url = str(credentials.get("verification_url", ""))
    if not url:
        raise CheckFailed("verification.not_set_up", profile=profile)
    return url


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
