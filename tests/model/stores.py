"""Two fields, an office and a provider as the stateful test moves them.

The stores, order files, keys and the ChinaUMS adapter are the real ones. Between the
adapter and the emulated ``AccountChangeService`` there is no socket: the bytes of each
call and answer are handed over in this process, so that a call can be lost, or arrive
days late, on a clock that the test moves.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from emulator.acquirer.chinaums import (
    Accesser,
    AccountChangeService,
    ChinaUmsFace,
    Course,
)
from emulator.acquirer.faces import HttpRequest
from emulator.acquirer.ledger import BankAccount, Ledger, Merchant, TerminalRecord
from emulator.acquirer.rules import Rules
from emulator.bench import BRANCH, MOBILE, NEW_NUMBER, OLD_NUMBER, OPERATOR
from posctl.field import course
from posctl.field.place import FieldPlace
from posctl.field.place import Session as FieldSession
from posctl.model.canonical import canonical
from posctl.model.errors import Declined, LinkFailed, LinkTimeout
from posctl.model.profile import Pinned
from posctl.office.merchant import fetch_terminals
from posctl.office.place import OfficePlace, open_secrets
from posctl.office.place import Session as OfficeSession
from posctl.providers import Provider
from posctl.providers.chinaums import ChinaUms
from posctl.store import keys, profiles
from posctl.store.eventlog import EventLog
from posctl.store.files import write_private
from posctl.store.home import Home, Settings
from posctl.store.sealing import public_text
from protocols.chinaums import Credentials

MERCHANTS = {"898110054110001": "11000001", "898110054110002": "11000002"}
FIELDS = ("AAAA", "BBBB")
TECHNICIANS = {"AAAA": "li", "BBBB": "zhao"}
OPEN_PER_TECHNICIAN = 2
AUDIT_SECONDS = 3600.0
_LEFT_OUT = ("model", "clock", "batch", "documents")


class SetClock:
    """Stands still until a rule moves it."""

    def __init__(self) -> None:
        self.began = datetime(2026, 11, 23, 4, tzinfo=UTC)
        self.passed = timedelta()

    def now(self) -> datetime:
        return self.began + self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += timedelta(seconds=seconds)

    def seconds(self) -> float:
        return self.passed.total_seconds()


class Drawn:
    """Instead of ``secrets`` where order numbers are drawn: the same in each run."""

    def __init__(self) -> None:
        self._drawn = Random(1)  # noqa: S311 - no secret is drawn

    def choice(self, letters: str) -> str:
        return self._drawn.choice(letters)


class Scripted:
    """A person who has an answer to every question."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def tell(self, message: str, **params: object) -> None:
        pass

    def waiting(self, message: str, **params: object) -> None:
        pass

    def ask(
        self,
        question: str,
        check: Callable[[str], Any],
        *,
        secret: bool,
        **params: object,
    ) -> Any:
        text = self.answers.get(question.removeprefix("ask."))
        if text is None:
            raise Declined("person.no_answer", question=question)
        return check(text)

    def confirm(self, question: str, word: str, **params: object) -> bool:
        return True


# -- the way to the provider -----------------------------------------------------


class Wire:
    """Hands requests to the service; ``trouble`` strikes the next calls, one each.

    ``calls`` are the services that were asked, ``late`` the requests on their way.
    """

    host = "provider"

    def __init__(self, face: ChinaUmsFace, ledger: Ledger) -> None:
        self._face, self._ledger = face, ledger
        self.trouble: list[str] = []
        self.calls: list[str] = []
        self.late: list[bytes] = []

    def post(self, path: str, body: bytes, **_rest: Any) -> bytes:
        request = HttpRequest("POST", path, {}, body)
        self.calls.append(self._face.call_name(request) or "?")
        trouble = self.trouble.pop(0) if self.trouble else "none"
        answer: bytes = getattr(self, f"_{trouble}")(request)
        return answer

    def deliver(self, which: int) -> None:
        """A request that was thought to be lost arrives."""
        body = self.late.pop(which % len(self.late))
        self._face.respond(HttpRequest("POST", "/", {}, body))

    def _none(self, request: HttpRequest) -> bytes:
        return self._face.respond(request).body

    def _drop_answer(self, request: HttpRequest) -> bytes:
        self._face.respond(request)
        raise LinkTimeout("host.timeout", host=self.host, sent=True)

    def _lose(self, request: HttpRequest) -> bytes:
        raise LinkFailed("host.lost", host=self.host, sent=True)

    def _delay(self, request: HttpRequest) -> bytes:
        self.late.append(request.body)
        raise LinkTimeout("host.timeout", host=self.host, sent=True)

    def _unreachable(self, request: HttpRequest) -> bytes:
        raise LinkFailed("host.unreachable", host=self.host, sent=False)

    def _busy(self, request: HttpRequest) -> bytes:
        return self._face.busy(request).body

    def _busy_lie(self, request: HttpRequest) -> bytes:
        self._face.respond(request)
        return self._face.busy(request).body

    def _twice(self, request: HttpRequest) -> bytes:
        self._face.respond(request)
        return self._face.respond(request).body

    def _says_99(self, request: HttpRequest) -> bytes:
        """For a question only: every application stands at 99 just now."""
        if self.calls[-1] != "alter_qry":
            return self._none(request)
        with self._ledger.locked() as ledger:
            self._face.advance()
            true = {a.reg_id: a.status for a in ledger.applications.values()}
            for application in ledger.applications.values():
                application.status = "99"
            signed = {a.reg_id: a.signed_at for a in ledger.applications.values()}
            for application in ledger.applications.values():
                application.signed_at = None
            answer = self._face.respond(request).body
            for application in ledger.applications.values():
                application.status = true[application.reg_id]
                application.signed_at = signed[application.reg_id]
        return answer


TROUBLE = (
    *("drop_answer", "lose", "delay", "unreachable"),
    *("busy", "busy_lie", "twice", "says_99"),
)


class ModelOffice(OfficeSession):
    """A session whose provider is at the end of the wire."""

    wire: Wire
    credentials: Credentials

    def provider(self) -> Provider:
        object.__setattr__(self, "_made", True)
        clock = self.place.clock
        return ChinaUms(self.wire, "https://provider", self.credentials, clock.now)  # type: ignore[arg-type]


# -- the power cut ---------------------------------------------------------------


class Crash(BaseException):
    """The process died. Nothing is written any more until the stores are opened."""


class Power:
    """Cuts ``EventLog`` short: ``left`` more writes, then the crash, before or after
    the last of them."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False
        self.dead = False

    def cut(self, left: int, *, after: bool) -> None:
        self.left, self.after = left, after

    def mend(self) -> None:
        self.left, self.dead = None, False

    @contextmanager
    def on(self, *told: Callable[[EventLog, str], None]) -> Iterator[None]:
        """``told`` hear of every event before it is written."""
        real = {
            name: getattr(EventLog, name) for name in ("append", "absorb", "notify")
        }

        def wrap(name: str) -> Callable[..., Any]:
            def write(log: EventLog, *args: Any, **options: Any) -> Any:
                return self._write(real[name], told, name, log, *args, **options)

            return write

        for name in real:
            setattr(EventLog, name, wrap(name))
        try:
            with patch.object(course, "secrets", Drawn()):
                yield
        finally:
            for name, method in real.items():
                setattr(EventLog, name, method)

    def _write(
        self, real: Any, told: Any, name: str, log: EventLog, *args: Any, **options: Any
    ) -> Any:
        if self.dead:
            raise Crash
        if self.left is not None:
            self.left -= 1
        last = self.left is not None and self.left < 0
        if last and not self.after:
            self.dead = True
            raise Crash
        if name == "append":
            kinds = [args[1], *(kind for kind, _payload in options.get("then", ()))]
            for hear, kind in product(told, kinds):
                hear(log, kind)
        done = real(log, *args, **options)
        if last:
            self.dead = True
            raise Crash
        return done


# -- the set-ups -----------------------------------------------------------------


class World:
    """One organisation: two fields, an office, four people and a forger of names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.ledger = _ledger()
        self.credentials = Credentials("posctl-test", secrets.token_hex(12).encode())
        accesser = Accesser(self.credentials, frozenset(MERCHANTS))
        self.service = AccountChangeService(
            self.ledger,
            [accesser],
            course=Course(AUDIT_SECONDS / 3, AUDIT_SECONDS / 2, AUDIT_SECONDS),
            clock=self.clock.seconds,
            rules=Rules(pictures_checked=False),
        )
        self.wire = Wire(ChinaUmsFace(self.service), self.ledger)
        self.power = Power()
        self._set_up()
        self.open()

    def _set_up(self) -> None:
        now = self.clock.now()
        self.root = keys.make_root("-", now, test=True)
        people = [(n, keys.TECHNICIAN) for n in TECHNICIANS.values()]
        people += [(n, keys.APPROVER) for n in ("wang", "qian", "Li")]
        self.people = {name: keys.issue(self.root, name, r, now) for name, r in people}
        seal = X25519PrivateKey.generate()
        ca = b"no certificate: there is no line"
        pinned = Pinned(
            public_text(seal.public_key()),
            "https://127.0.0.1:1",
            hashlib.sha256(ca).hexdigest(),
        )
        self.homes = {name: Home(self.folder / name) for name in (*FIELDS, "office")}
        for name, home in self.homes.items():
            self._set_up_one(name, home, profiles.pin(_profile(), pinned))
        office = self.homes["office"]
        write_private(office.office / "provider-ca.pem", ca)
        write_private(
            office.office / "seal.key", keys.protect(seal.private_bytes_raw(), None)
        )
        box = keys.protect(canonical({}), None)
        write_private(office.office / "credentials.key", box)

    def _set_up_one(self, name: str, home: Home, text: str) -> None:
        pem = self.root.certificate.public_bytes(Encoding.PEM)
        write_private(home.path / "root.pem", pem)
        for operator in self.people.values():
            certificate = operator.certificate.public_bytes(Encoding.PEM)
            write_private(home.operators / f"{operator.name}.pem", certificate)
        profiles.install(home.profiles, text, self.root)
        field_id = name if name in FIELDS else "CCCC"
        home.write_settings(Settings("apart", field_id, "emulator", "li", "wang"))

    def open(self) -> None:
        """The stores as a new process finds them."""
        self.close()
        self.power.mend()
        nobody = Scripted()
        self.places: dict[str, FieldPlace | OfficePlace] = {
            name: FieldPlace(self.homes[name], self.clock, nobody) for name in FIELDS
        }
        self.office = OfficePlace(self.homes["office"], self.clock, nobody)
        self.places["office"] = self.office

    def close(self) -> None:
        for place in getattr(self, "places", {}).values():
            place.log.close()

    def at_office(self, name: str, **answers: str) -> OfficeSession:
        self.office.person = Scripted(**answers)
        secret = open_secrets(self.homes["office"], None)
        session = ModelOffice(self.office, self.people[name], secret)
        object.__setattr__(session, "wire", self.wire)
        object.__setattr__(session, "credentials", self.credentials)
        return session

    def at_field(self, field: str, operator: str, **answers: str) -> FieldSession:
        place = self.places[field]
        assert isinstance(place, FieldPlace)
        place.person = Scripted(**answers)
        return FieldSession(place, self.people[operator])

    def fetch_lists(self) -> None:
        """The office's terminal lists, carried to both fields."""
        for mid in MERCHANTS:
            for field in FIELDS:
                path = self.homes[field].field / "terminals" / f"{mid}.json"
                fetch_terminals(self.at_office("wang"), mid, path)

    def propose(self, field: str, operator: str, mid: str, new: str) -> Path:
        """A whole course at the field; the order file that it left."""
        out = self.folder / "mail" / f"{secrets.token_hex(4)}.posctl-order"
        old = OLD_NUMBER if new == NEW_NUMBER else NEW_NUMBER
        session = self.at_field(
            field,
            operator,
            label_tid=MERCHANTS[mid],
            new_number=new,
            new_number_again=new,
            old_number=old,
            branch=BRANCH,
            mobile=MOBILE,
        )
        means = course.Means("label", typed=True, merchant=mid, output=out)
        course.run(session, means)
        return out


def _ledger() -> Ledger:
    ledger = Ledger()
    for number in (OLD_NUMBER, NEW_NUMBER):
        ledger.accounts[number] = BankAccount(number, OPERATOR)
    ledger.branches[BRANCH] = "中国工商银行总行"
    for mid, tid in MERCHANTS.items():
        ledger.merchants[mid] = Merchant(mid, "小面馆", OPERATOR, OLD_NUMBER, BRANCH)
        ledger.terminals[tid] = TerminalRecord(tid, mid, f"SN{tid}", bytes(16))
    return ledger


def _profile() -> str:
    """The emulator's, for terminals that are read off their labels."""
    text = profiles.example("emulator")
    text = re.sub(
        r"\[terminal\.variables\].*?(?=\n\[)",
        "[terminal.variables]\n",
        text,
        flags=re.S,
    )
    text = re.sub(r"\[\[documents\]\].*?(?=\n\[)", "", text, flags=re.S)
    for step in _LEFT_OUT:
        text = text.replace(f'"{step}", ', "").replace(f'"{step}",', "")
    changes = {
        'protocol = "poslink"': 'protocol = "label"',
        'confirm = "binding_tag"': 'confirm = "n/a"',
        "open_per_technician = 10": f"open_per_technician = {OPEN_PER_TECHNICIAN}",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text
