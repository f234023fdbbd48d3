"""A site whose profile names steps of the verification service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from world import Ran, Site

from emulator.acquirer.ledger import AccountKind, BankAccount
from emulator.bench import (
    BRANCH,
    ID_NUMBER,
    MID,
    MOBILE,
    NEW_NUMBER,
    OLD_NUMBER,
    OPERATOR,
)
from emulator.faults import Fault
from posctl.change.journal import last_payload
from posctl.cli.console import Console
from posctl.model.clock import SystemClock
from posctl.office.place import OfficePlace, Secrets, Session, open_secrets
from posctl.store import keys, profiles
from posctl.store.eventlog import EventLog
from posctl.store.home import Home

# Published: see docs/test-data.md.
OTHER_ID, OTHER_MOBILE = "11010519491231002X", "13800138000"

DIGITS = NEW_NUMBER[-4:]

ANSWERS = (OLD_NUMBER, BRANCH, MOBILE, OPERATOR, ID_NUMBER, "CHANGE")

REGISTERED = (
    *("merchant", "register", MID, "--subject", "individual", "--name", "小面馆"),
    *("--phone", OTHER_MOBILE),
)

QUIET = Console("test", as_json=True)

Change = Callable[[BankAccount], None]


class SetClock:
    """Seconds that pass only when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Place(Site):
    """A site whose profile names the steps."""

    clock: SetClock

    def proposed(self, *, id_number: str = ID_NUMBER) -> str:
        answers = (*ANSWERS[:4], id_number, ANSWERS[5])
        ran = self.run("change", "run", *self.means(), answers=answers)
        return str(ran.ok()["order"])

    def say(self, number: str, *answers: str) -> Ran:
        return self.run("change", "approve", number, answers=answers)

    def account_of(self) -> BankAccount:
        return self.bench.ledger.accounts[NEW_NUMBER]

    def fault(self, service: str, action: str, **more: Any) -> None:
        self.bench.provider.faults.add(Fault(service, action, **more))

    def log(self) -> EventLog:
        """The office's."""
        return OfficePlace(Home(self.home), SystemClock(), QUIET).log

    def session(self, **other: str) -> Session:
        """Of wang, with other credentials."""
        home = Home(self.home)
        opened = open_secrets(home, None)
        office = OfficePlace(home, SystemClock(), QUIET)
        office.collect()
        wang = keys.load_operator(home.operators, "wang", None)
        return Session(
            office, wang, Secrets(opened.seal_key, {**opened.credentials, **other})
        )

    def failures(self, number: str) -> list[dict[str, Any]]:
        """The payloads of ``step.failed``."""
        events = self.log().events(number)
        return [e.payload for e in events if e.kind == "step.failed"]

    def evidence(self, number: str) -> dict[str, Any]:
        """Of the approval."""
        return dict(last_payload(self.log(), number, "order.approved")["steps"])

    def paid(self, number: str) -> int:
        """How often 0.01 was paid for the order."""
        return self.bench.verification.payments_for(number)

    def applied(self) -> int:
        """How many applications the provider got."""
        with self.bench.ledger.locked() as ledger:
            return len(ledger.applications)

    def sent(self) -> int:
        return len(self.bench.verification.codes_sent_to(MOBILE))


def text_with(
    *steps: str, asks: str = '"branch", "mobile", "holder", "id_number"'
) -> str:
    text = profiles.example("emulator")
    last = '"identity", "old_account", "office_caps",'
    assert last in text
    more = ", ".join(f'"{step}"' for step in steps)
    text = text.replace(last, f"{last} {more}")
    return text.replace('asks = ["branch", "mobile"]', f"asks = [{asks}]")


MakePlace = Callable[..., Place]


def refused(ran: Ran, code: str, exit_code: int) -> dict[str, Any]:
    error = ran.error
    assert (error["code"], ran.code) == (code, exit_code), ran.err
    assert error["next"]
    return error


def other_name(account: BankAccount) -> None:
    account.holder = "何自助"


def other_id(account: BankAccount) -> None:
    account.id_number = OTHER_ID


def other_mobile(account: BankAccount) -> None:
    account.mobile = OTHER_MOBILE


def closed(account: BankAccount) -> None:
    account.is_open = False


def corporate(account: BankAccount) -> None:
    account.kind = AccountKind.CORPORATE


def no_phone(account: BankAccount) -> None:
    account.mobile = ""


def without_phone(place: Place) -> str:
    """An order whose four elements agreed before the bank lost the number."""
    number = place.proposed()
    refused(place.say(number, ""), "otp.not_received", 7)
    no_phone(place.account_of())
    return number


def with_owner(place: Place) -> Place:
    owner = ("--owner", OPERATOR, "--owner-id")
    place.run(*REGISTERED, *owner, answers=[ID_NUMBER]).ok()
    return place


def left_in(folder: Path, needles: list[str]) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "log.db" for path in files)
    return [
        f"{path}: {needle}"
        for path in files
        for needle in needles
        if needle.encode() in path.read_bytes()
    ]
