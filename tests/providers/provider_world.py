"""A ledger with one merchant, its provider on real TLS, and the adapter to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from emulator.acquirer.https import ProviderService
from emulator.acquirer.ledger import (
    AccountKind,
    BankAccount,
    Ledger,
    Merchant,
    TerminalRecord,
)
from posctl.model.deadline import Deadline
from posctl.providers import ChangeRequest, Picture, Provider, open_provider
from protocols.sensitive import AccountNumber

MID = "898310148160568"
OTHER_MID = "898310148160569"
OLD = "6212345678901265"
NEW = "6216261000000000018"
CORPORATE = "31001234567890123456"
BRANCH = "102100099996"
KEY = b"0123456789abcdefABCDEF!?"
ACCESSER = "office1"
SETTINGS = {"accesser_id": ACCESSER, "key": KEY.decode()}
NOON = datetime(2026, 11, 23, 4, 0, 0, tzinfo=UTC)


class SetClock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    ledger: Ledger
    service: ProviderService
    provider: Provider
    clock: SetClock
    url: str
    ca_file: Path

    @property
    def account(self) -> str:
        with self.ledger.locked():
            return self.ledger.merchants[MID].account

    @property
    def version(self) -> int:
        with self.ledger.locked():
            return self.ledger.merchants[MID].version

    def opened(
        self, *, url: str = "", ca_file: Path | None = None, key: str = ""
    ) -> Provider:
        settings = {**SETTINGS, "key": key} if key else SETTINGS
        return open_provider(
            "chinaums",
            url=url or self.url,
            ca_file=ca_file or self.ca_file,
            credentials=settings,
            clock=lambda: NOON,
        )

    def request(self, new: str = NEW, **changes: object) -> ChangeRequest:
        known: dict[str, object] = {
            "mid": MID,
            "new": AccountNumber(new),
            "branch": BRANCH,
            "old": AccountNumber(OLD),
        }
        if "pictures" not in changes:
            known["pictures"] = tuple(
                self.provider.upload(Picture(kind, kind, "image/png"), b"pic", soon())
                for kind in ("card_front", "card_back")
            )
        return ChangeRequest(**{**known, **changes})  # type: ignore[arg-type]

    def applied(self, seq: str = "A1", **changes: object) -> str:
        return self.provider.apply(self.request(**changes), seq, soon())  # type: ignore[arg-type]


MakeWorld = Callable[..., World]
"""See ``conftest.started``."""


def soon() -> Deadline:
    return Deadline(5.0)


def make_ledger() -> Ledger:
    ledger = Ledger()
    ledger.accounts = {
        OLD: BankAccount(OLD, "全渠道"),
        NEW: BankAccount(NEW, "全渠道"),
        CORPORATE: BankAccount(CORPORATE, "渠道小店", AccountKind.CORPORATE),
    }
    ledger.merchants = {
        mid: Merchant(mid, "渠道小店", "全渠道", OLD, BRANCH)
        for mid in (MID, OTHER_MID)
    }
    for tid in ("12345678", "12345679"):
        ledger.terminals[tid] = TerminalRecord(tid, MID, f"SN{tid}", bytes(16))
    ledger.branches = {BRANCH: "某银行北京分行营业部", "105100000017": "另一银行"}
    return ledger
