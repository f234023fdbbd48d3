"""The twin of a terminal: emulators that begin as the real one was found, and a
throw-away set-up that knows them.

Nothing of it reaches the real terminal, the real stores, or the provider.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from stdnum import luhn

from emulator.bench import (
    BRANCH,
    MOBILE,
    NAME,
    NEW_NUMBER,
    OLD_NUMBER,
    OPERATOR,
    Bench,
    Scenario,
    Till,
)
from emulator.terminal.core import BEIJING
from posctl.change.person import Person
from posctl.cli.facts import Facts
from posctl.cli.setup import Reached, SetUp, make_home, read_credentials
from posctl.field.course import Means
from posctl.field.place import FieldPlace
from posctl.field.place import Session as FieldSession
from posctl.model.clock import SystemClock
from posctl.model.errors import OtherChannel
from posctl.model.profile import Profile
from posctl.office.merchant import fetch_terminals
from posctl.office.place import OfficePlace, open_secrets
from posctl.office.place import Session as OfficeSession
from posctl.office.registry import Merchant, register_merchant
from posctl.store import keys, profiles
from posctl.store.home import Home
from posctl.terminals import BatchTotals, TerminalIdentity

ID_NUMBER = "11010519491231002X"
"""The example of GB 11643-1999; see docs/test-data.md."""
TWIN_ZONE = BEIJING
"""Of the time that an emulated terminal shows."""
FOREVER = "9999-12-31"
_PROTOCOL, _PROVIDER = "poslink", "chinaums"
_SHAPES = {"tid": re.compile(r"[0-9A-Za-z]{8}"), "mid": re.compile(r"[0-9A-Za-z]{15}")}
"""What the emulated host's messages hold: ISO 8583, fields 41 and 42."""
_FIELD_ID = "TEST"
"""How the twin's orders are numbered: no field of a real set-up is called so."""
_LONGEST_POLL = 0.05
_AUDIT_SECONDS = 0.1
_LENGTHS = range(6, 41)
_EMULATED = {
    "tid": "terminalID",
    "mid": "merchantID",
    "merchant_name": "merchantName",
    "batch": "batchNumber",
    "last_settlement": "lastSettlementTime",
    "clock": "terminalClock",
    "binding_tag": "posctlBindingTag",
}
"""Our name -> the emulated terminal application's own."""


def check_rules(profile: Profile, *, corporate: bool) -> None:
    """That there are emulators for all of it: half a rehearsal teaches wrong things.

    Raises:
        OtherChannel: ``rehearse.not_here``.
    """
    checkers = profile.verification.checkers
    missing = {
        f"terminal.protocol = {profile.terminal.protocol}": (
            profile.terminal.protocol != _PROTOCOL
        ),
        f"provider = {profile.provider}": profile.provider != _PROVIDER,
        "verification.checkers = merchant": "merchant" in checkers,
        "--corporate": corporate,
    }
    for what, is_missing in missing.items():
        if is_missing:
            raise OtherChannel("rehearse.not_here", what=what)


def check_shape(identity: TerminalIdentity) -> None:
    """Raises OtherChannel ``rehearse.not_here``: numbers that the host cannot hold."""
    for name, shape in _SHAPES.items():
        value = getattr(identity, name)
        if value is None or not shape.fullmatch(value):
            raise OtherChannel("rehearse.not_here", what=f"{name} = {value or '?'}")


def made_up(shown: str | None) -> str:
    """A number with that mask that can be nobody's card: its check digit is wrong.

    What hides no digit, or too many, is not imitated: the published number is taken.
    """
    if shown is None or "*" not in shown or len(shown) not in _LENGTHS:
        return OLD_NUMBER
    number = shown.replace("*", "0")
    if luhn.is_valid(number):
        hidden = shown.rindex("*")
        number = f"{number[:hidden]}1{number[hidden + 1 :]}"
    return number


def till_of(facts: Facts, profile: Profile) -> Till:
    """The emulated terminal that begins as the real one was found; bound, where that
    one is not: there would be nothing to rehearse."""
    identity, named = facts.identity, profile.terminal.variables
    tag = facts.tag if facts.tag and not facts.tag.unbound else None
    return Till(
        mid=facts.mid,
        tid=facts.tid,
        serial=identity.serial or "",
        model=identity.model or "",
        os_version=identity.firmware or "",
        app_version="",
        batch=facts.batch,
        old_number=made_up(tag.mask if tag else None),
        version=tag.version if tag else 1,
        tag="garbage" if facts.has_garbage else "shown" if facts.tag else "none",
        clock_ahead=facts.clock_ahead,
        aliases=tuple((theirs, _EMULATED[ours]) for ours, theirs in named.items()),
        pictures=tuple(document.kind for document in profile.documents),
    )


def transactions(totals: BatchTotals) -> tuple[int, ...]:
    """As many, with that sum, in fen: what each was nobody tells."""
    if not totals.count:
        return ()
    fen = int(totals.amount * Decimal(100))
    return (fen, *[0] * (totals.count - 1))


class TwinClock:
    """This machine's clock, set ahead; nothing is waited for in full."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead
        self._system = SystemClock()

    def now(self) -> datetime:
        return self._system.now() + self._ahead

    def sleep(self, seconds: float) -> None:
        self._system.sleep(min(seconds, _LONGEST_POLL))

    def reach(self, moment: datetime) -> None:
        """Be there now, unless that is over."""
        self._ahead += max(moment - self.now(), timedelta())


def opening(profile: Profile, now: datetime) -> datetime:
    """``now``, or the first moment at which neither window nor notice is in the way."""
    while True:
        opens = profile.calendar().next_opening(now)
        stops = [n.ends for n in profile.notices_at(opens) if n.stops]
        if not stops:
            return opens
        now = max(stops).replace(tzinfo=profile.zone).astimezone(UTC)


class Twin:
    """Emulators and set-up in ``folder``; use with ``with``, nothing of it is left.

    Args:
        text: the profile in force; its rules are kept, its pinned part is not.
        people: names of technician and approver.
        clock: the twin's; its lead is the terminal's too.
    """

    def __init__(
        self,
        folder: Path,
        facts: Facts,
        text: str,
        people: tuple[str, str],
        clock: TwinClock,
    ) -> None:
        self.facts = facts
        self.clock = clock
        self._people = people
        self._text = profiles.unpinned(text)
        self._rules = profiles.parse(self._text, source="-")
        self._home = Home(folder / "home")
        lead = clock.now() - SystemClock().now()
        self.till = till_of(facts, self._rules)
        self._scenario = Scenario(
            direct=True,
            audit=_AUDIT_SECONDS,
            transactions=transactions(facts.totals),
            baud=self._rules.terminal.baud,
            till=_ahead(self.till, lead),
        )
        self.bench = Bench(folder / "bench", self._scenario)
        self._stack = ExitStack()

    def __enter__(self) -> Twin:
        """Raises OSError where no port or pty can be had."""
        self._stack.enter_context(self.bench)
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        bench, whose = self.bench, SetUp(*self._people, test=True, field_id=_FIELD_ID)
        issued = read_credentials(bench.credentials_file)
        phrases = dict.fromkeys((keys.ROOT, *self._people))
        reached = Reached(
            bench.url, bench.ca_file, issued, bench.ca_keys_file.read_text("utf-8")
        )
        make_home(self._home, whose, self._text, reached, phrases)

    def register(self, person: Person, subject: str, agent: str | None) -> None:
        """The merchant as the office knows it, and its signed terminal list."""
        session = self.office(person)
        scope = {"scope": "settlement account", "until": FOREVER}
        mandates = ({"agent": agent, **scope},) if agent else ()
        papers = "".join(session.place.profile.account.papers[:1])
        known = Merchant(
            *(self.facts.mid, subject, NAME, OPERATOR, MOBILE),
            mandates=mandates,
            papers=papers,
        )
        register_merchant(session.place, known)
        fetch_terminals(session, self.facts.mid, None)

    def field(self, person: Person) -> FieldSession:
        """The technician at the twin."""
        place = FieldPlace(Home(self._home.path), self.clock, person)
        place.collect()
        name = place.home.settings.technician
        return FieldSession(place, keys.load_operator(place.home.operators, name, None))

    def office(self, person: Person) -> OfficeSession:
        """The approver at the twin's office."""
        place = OfficePlace(Home(self._home.path), self.clock, person)
        place.collect()
        who = keys.load_operator(
            place.home.operators, place.home.settings.approver, None
        )
        return OfficeSession(place, who, open_secrets(place.home, None))

    def means(self, real: Means) -> Means:
        """The real run's, with the twin's terminal, card and pictures."""
        return Means(
            address=self.bench.port,
            reader=self.bench.reader,
            typed=real.typed,
            pictures=self.bench.pictures if real.pictures else None,
            merchant=real.merchant,
            agent=real.agent,
            bin_table=real.bin_table,
        )

    def answers(self) -> dict[str, str]:
        """To what a person is asked: made up, or published test numbers."""
        return {
            "ask.old_number": self.till.old_number,
            "ask.new_number": NEW_NUMBER,
            "ask.new_number_again": NEW_NUMBER,
            "ask.branch": BRANCH,
            "ask.mobile": MOBILE,
            "ask.bank": self.bench.ledger.branches[BRANCH],
            "ask.area": "110100",
            "ask.holder": OPERATOR,
            "ask.id_number": ID_NUMBER,
            "ask.expiry": "",
            "ask.pictures": str(self.bench.pictures),
            "ask.last_four": NEW_NUMBER[-4:],
        }


def _ahead(till: Till, lead: timedelta) -> Till:
    return replace(till, clock_ahead=till.clock_ahead + lead)
