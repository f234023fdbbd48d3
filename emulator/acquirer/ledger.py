"""The record of truth behind the ISO 8583 host and the provider's calls.

One lock guards it: the ISO host asks from an event loop, the HTTPS service from its
threads, and tests look at it directly.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from protocols.bindingtag import BindingTag
from protocols.sensitive import mask

PARAMETERS_CHANGED = 6
"""The processing request that makes a terminal fetch its parameters."""


class AccountKind(StrEnum):
    PERSONAL = "personal"
    CORPORATE = "corporate"


class Subject(StrEnum):
    """What a merchant is before the law; it decides whose account may be his."""

    MICRO = "micro"
    INDIVIDUAL = "individual"
    ENTERPRISE = "enterprise"
    GOVERNMENT = "government"
    OTHER = "other"


@dataclass
class BankAccount:
    """An account at some bank: who holds it and whether it can be paid to.

    Args:
        id_number: the holder's; ``""``: the bank has none.
        mobile: the number the bank has for the account; ``""``: it has none.
        account_class: ``I``, ``II`` or ``III`` (PBOC notice 302 of 2016).
        issuer_code: the code (field 39) that the bank answers in place of a check of
            elements; ``""``: it checks them.
        payment_code: the same in place of crediting a payment of 0.01; ``""``: it
            credits it where the name is the holder's.
    """

    number: str
    holder: str
    kind: AccountKind = AccountKind.PERSONAL
    is_open: bool = True
    id_number: str = field(default="", repr=False)
    mobile: str = field(default="", repr=False)
    issuer_code: str = ""
    account_class: str = "I"
    payment_code: str = ""


@dataclass
class Merchant:
    """``mid`` has 15 characters; ``account`` is the settlement account's number, or
    ``""``: it has none yet."""

    mid: str
    name: str
    operator: str
    account: str
    branch: str
    version: int = 1
    subject: Subject = Subject.INDIVIDUAL

    def owner(self, kind: AccountKind) -> str:
        """Whose name an account of this kind must have."""
        return self.name if kind is AccountKind.CORPORATE else self.operator


@dataclass
class Payment:
    """One payment of an open batch, in fen; refunds are negative."""

    stan: str
    number: str = field(repr=False)
    amount: int


@dataclass(frozen=True)
class Takings:
    """A settled batch, and the account that it is paid out to."""

    tid: str
    batch: int
    account: str = field(repr=False)
    amount: int


@dataclass
class TerminalRecord:
    """What the host knows of a terminal. ``tmk`` is its 16-byte master key.

    Args:
        payments: of its open batch; None: the host has not seen it begin, and takes
            the terminal's word for its totals.
        account: settlement account of this terminal alone, where it is not the
            merchant's; only Lakala's terminal query knows of it.
    """

    tid: str
    mid: str
    serial: str
    tmk: bytes
    batch: int = 1
    processing_request: int = 0
    tag_version_fetched: int = 0
    working_keys: tuple[bytes, bytes] | None = None  # PIK, MAK in clear
    account: str | None = None
    payments: list[Payment] | None = None


@dataclass
class Application:
    """One account-change application. ``status`` is ChinaUMS's two digits."""

    reg_id: str
    mid: str
    new_account: str
    status: str = "00"
    fail_reason: str = ""
    signed_at: float | None = None
    history: list[str] = field(default_factory=list)


class Ledger:
    """Merchants, terminals, accounts, applications; use ``with ledger.locked():``."""

    def __init__(self, tag_key: bytes | None = None) -> None:
        self.tag_key = tag_key or secrets.token_bytes(32)
        self.accounts: dict[str, BankAccount] = {}
        self.merchants: dict[str, Merchant] = {}
        self.terminals: dict[str, TerminalRecord] = {}
        self.applications: dict[str, Application] = {}
        self.branches: dict[str, str] = {}
        self.takings: list[Takings] = []
        self._lock = threading.RLock()

    @contextmanager
    def locked(self) -> Iterator[Ledger]:
        with self._lock:
            yield self

    def clear(self) -> None:
        """As it was made, with the same key."""
        with self._lock:
            for table in (self.accounts, self.merchants, self.terminals):
                table.clear()
            self.applications.clear()
            self.branches.clear()
            self.takings.clear()

    def terminals_of(self, mid: str) -> list[TerminalRecord]:
        with self._lock:
            return [t for t in self.terminals.values() if t.mid == mid]

    def binding_tag(self, tid: str) -> BindingTag:
        """The tag that a parameter download carries to this terminal now."""
        with self._lock:
            merchant = self.merchants[self.terminals[tid].mid]
            return BindingTag.issue(
                self.tag_key,
                mid=merchant.mid,
                tid=tid,
                mask=mask(merchant.account) if merchant.account else "",
                version=merchant.version if merchant.account else 0,
            )

    def change_account(self, mid: str, number: str, *, request: int) -> None:
        """Pay takings to ``number`` from now on; ask the terminals to fetch it.

        ``request`` is the processing request (0 to 9) that their next answer holds.
        """
        with self._lock:
            merchant = self.merchants[mid]
            merchant.account = number
            merchant.version += 1
            for terminal in self.terminals_of(mid):
                terminal.processing_request = request


def objection(account: BankAccount | None, merchant: Merchant) -> str:
    """Why this account cannot be the merchant's, or ``""``."""
    if account is None:
        return "account does not exist"
    if not account.is_open:
        return "account is closed"
    if account.account_class != "I":
        return f"{account.account_class}类账户不能作为结算账户"
    return (
        "" if account.holder == merchant.owner(account.kind) else "account name differs"
    )
