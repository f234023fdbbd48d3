"""`posctl change run --rehearse`: the whole course on the terminal's twin, then the
offer to begin the real one.

The real terminal is read, never written to, and never settled. Of the real set-up the
parts that the checks look at are copied first; the originals are not opened.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import click

from posctl.cards.readers import choose_reader
from posctl.change.order import Order
from posctl.cli.console import Console
from posctl.cli.facts import Facts, read
from posctl.cli.standins import Actor, Unasked
from posctl.cli.text.failures import describe
from posctl.cli.text.messages import _
from posctl.cli.twin import (
    TWIN_ZONE,
    Twin,
    TwinClock,
    check_rules,
    check_shape,
    opening,
)
from posctl.field.confirm import confirm
from posctl.field.course import Means, check_channel, run
from posctl.field.look import check_merchant, open_driver
from posctl.field.place import FieldPlace, Session
from posctl.field.survey import Survey
from posctl.model.canonical import Json
from posctl.model.clock import SystemClock
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, Declined, PosctlError
from posctl.office.approve import approve
from posctl.office.commit import commit
from posctl.office.place import OfficePlace
from posctl.office.registry import find_merchant
from posctl.store import keys
from posctl.store.home import Home

BEGIN_WORD = "BEGIN"
_READER_SECONDS = 5.0
_COPIED = ("home.json", "root.pem")
_COPIED_FOLDERS = ("profiles", "field/terminals", "field/inbox", "office/merchants")
_ASSUMED_SUBJECT = "individual"


def rehearse(console: Console, home: Path, operator: str | None, means: Means) -> Json:
    """What happened on the twin, and what stands in the way of the real change.

    Raises:
        OtherChannel: ``channel.other``, ``rehearse.not_here``: there is no twin.
        PosctlError: the terminal could not be read, or is another merchant's.
    """
    started = time.monotonic()
    with console.marked(_("word.rehearsal")), _nothing_left(console) as folder:
        report = Rehearsal(console, Home(home), operator, means, folder).play()
    return {**report, "seconds": round(time.monotonic() - started, 2)}


def begins(console: Console, report: Json, *, go_on: bool) -> bool:
    """Whether the real change is to begin now; with ``go_on`` without asking.

    Raises:
        CheckFailed: ``rehearse.stopped``: what stops the twin stops the terminal.
    """
    if not console.as_json:
        _print(console, report)
    for step in report["steps"]:
        if step["failed"]:
            raise _stopped(report, step["command"], step["happened"])
    if go_on or console.as_json:
        return go_on
    return _wanted(console, report)


def _print(console: Console, report: Json) -> None:
    """In three parts: what was read, what is in the way, what will be asked."""
    tables = ("problems", "steps")
    console.result({k: v for k, v in report.items() if k not in tables})
    for name in tables:
        click.echo()
        console.result({name: report[name]})


def _stopped(report: Json, step: str, cause: str) -> CheckFailed:
    found = ", ".join(_in_the_way(report)) or "-"
    return CheckFailed("rehearse.stopped", step=step, cause=cause, found=found)


def _in_the_way(report: Json) -> list[str]:
    """Codes of the problems that the real change would end with."""
    return [problem["code"] for problem in report["problems"] if problem["blocks"]]


def _wanted(console: Console, report: Json) -> bool:
    count = len(_in_the_way(report))
    found = _("rehearse.hindered", count=count) if count else _("rehearse.clear")
    shown = {"tid": report["tid"], "mid": report["mid"], "found": found}
    try:
        console.confirm("rehearse.begin", BEGIN_WORD, **shown)
    except Declined:
        console.tell("rehearse.nothing_changed")
        return False
    return True


@contextmanager
def _nothing_left(console: Console) -> Iterator[Path]:
    """A folder that is gone at the end. An interrupt names no order: the twin's is gone
    with it."""
    with tempfile.TemporaryDirectory(prefix="posctl-rehearsal-") as folder:
        try:
            yield Path(folder)
        except PosctlError:
            raise
        except BaseException as interrupt:
            console.tell("rehearse.nothing_changed")
            if hasattr(interrupt, "__notes__"):
                del interrupt.__notes__
            raise


@dataclass
class Played:
    """A step of the course on the twin, and what it asked."""

    command: str
    who: str
    title: str
    run: Callable[[], Order]
    happened: str | None = None
    failed: bool = False
    asks: list[str] = field(default_factory=list)

    def to_json(self) -> Json:
        shown = {"command": self.command, "who": self.who}
        return {
            **shown,
            "happened": self.happened,
            "failed": self.failed,
            "asks": self.asks,
        }


class Rehearsal:
    """One look at the real terminal, and one course on its twin."""

    def __init__(
        self,
        console: Console,
        home: Home,
        operator: str | None,
        means: Means,
        folder: Path,
    ) -> None:
        self.console = console
        self.home = home
        self.means = means
        self.folder = folder
        self.now = SystemClock().now()
        self.profile = home.profile(self.now)
        self.technician = operator or home.settings.technician
        self.approver = home.settings.approver
        if self.technician == self.approver:
            raise CheckFailed(
                "signature.role", role=keys.APPROVER, needed=keys.TECHNICIAN
            )
        keys.key_file(home.operators, self.technician)  # somebody whom we know
        self.shadow = _shadow(home, folder / "shadow")
        self.survey_person = Unasked()

    def play(self) -> Json:
        check_channel(self.profile)
        check_rules(self.profile, corporate=self.means.corporate)
        place = FieldPlace(self.shadow, SystemClock(), self.survey_person)
        place.collect()
        facts, failures = self._look(place)
        self._tell_facts(facts)
        opens = opening(self.profile, self.now)
        if opens != self.now:
            self.console.tell("rehearse.clock_set", opens=self._local(opens))
        problems = [*map(_stopping, failures), *self._notes()]
        steps = self._course(facts, place, TwinClock(opens - self.now))
        return {
            **self._shown(facts),
            "clock_set": self._local(opens) if opens != self.now else None,
            "passed": not any(step.failed for step in steps),
            "problems": problems,
            "steps": [step.to_json() for step in steps],
        }

    # -- the real terminal -----------------------------------------------------

    def _look(self, place: FieldPlace) -> tuple[Facts, list[PosctlError]]:
        """Who it is and how it stands; everything that would stop the change now."""
        means = self.means
        self.console.waiting("wait.terminal", port=means.address)
        driver = open_driver(place, means.address, merchant=means.merchant)
        try:
            facts = read(driver, self.now.astimezone(TWIN_ZONE))
            check_merchant(facts.identity, means.merchant)
            check_shape(facts.identity)
            survey = Survey(self._somebody(place), means, driver)
            survey.make(facts.identity)
        finally:
            driver.close()
        survey.attempt(self._find_reader)
        survey.attempt(lambda: self._find_merchant(facts.mid))
        return facts, survey.failures

    def _somebody(self, place: FieldPlace) -> Session:
        """The technician by name: his own key stays where it is."""
        root = keys.make_root("-", self.now, test=True)
        return Session(
            place, keys.issue(root, self.technician, keys.TECHNICIAN, self.now)
        )

    def _find_reader(self) -> None:
        """Whether it is plugged in: the card comes later."""
        if not (self.means.typed or self.profile.not_used.card):
            choose_reader(self.means.reader, Deadline(_READER_SECONDS))

    def _find_merchant(self, mid: str) -> None:
        """Raises CheckFailed ``name.not_on_file``: the office of this machine would."""
        if self.home.settings.mode != "solo":
            return
        if "same_name" not in self.profile.verification.steps:
            return
        office = OfficePlace(self.shadow, SystemClock(), self.survey_person)
        if find_merchant(office, mid) is None:
            raise CheckFailed("name.not_on_file", mid=mid)

    def _tell_facts(self, facts: Facts) -> None:
        shown = self._shown(facts)
        shown["account"] = shown["account"] or "?"
        self.console.tell("rehearse.read", **shown)

    def _shown(self, facts: Facts) -> Json:
        return {
            "rehearsal": True,
            "mid": facts.mid,
            "tid": facts.tid,
            "serial": facts.identity.serial,
            "model": facts.identity.model,
            "account": (facts.tag.mask or None) if facts.tag else None,
            "transactions": facts.totals.count,
            "amount": str(facts.totals.amount),
        }

    def _notes(self) -> list[Json]:
        """What is only to be known: the real change goes on all the same."""
        notes = dict(self.survey_person.notes)
        if self.profile.is_old(self.now):
            shown = {"name": self.profile.name, "date": str(self.profile.date)}
            notes["profile.old"] = _("profile.old", **shown)
        return [
            {"code": code, "blocks": False, "problem": text, "next": ""}
            for code, text in notes.items()
        ]

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.profile.zone):%Y-%m-%d %H:%M}"

    # -- the twin --------------------------------------------------------------

    def _course(
        self, facts: Facts, place: FieldPlace, clock: TwinClock
    ) -> list[Played]:
        self.console.waiting("rehearse.builds")
        text = self.home.profile_text(self.now)
        people = (self.technician, self.approver)
        with Twin(self.folder / "twin", facts, text, people, clock) as twin:
            actor = Actor(self.console, twin.answers())
            subject = place.subject(facts.mid) or _ASSUMED_SUBJECT
            twin.register(Unasked(), subject, self.means.agent)
            steps = _Course(twin, actor, self.means).steps(*people)
            for number, step in enumerate(steps, 1):
                self.console.tell("rehearse.step", number=number, title=step.title)
                if not self._played(step, actor):
                    break
            return steps

    def _played(self, step: Played, actor: Actor) -> bool:
        if self._is_guarded(step.who):
            step.asks.append(_("ask.passphrase", name=step.who))
        actor.asked = step.asks
        try:
            order = step.run()
        except PosctlError as failure:
            step.happened, step.failed = failure.code, True
            self.console.tell("rehearse.ended", reason=describe(failure)["text"])
            return False
        step.happened = str(order.state)
        return True

    def _is_guarded(self, name: str) -> bool:
        """Whether his real key, where it is on this machine, wants a passphrase."""
        path = self.home.operators / f"{name}.key"
        return path.is_file() and not keys.is_open(path)


class _Course:
    """The commands of a change, each by who types it."""

    def __init__(self, twin: Twin, actor: Actor, means: Means) -> None:
        self._twin = twin
        self._actor = actor
        self._means = means
        self._number = ""

    def steps(self, technician: str, approver: str) -> list[Played]:
        of_order = "posctl change {} ORDER".format
        return [
            Played("posctl change run", technician, _("demo.run"), self._run),
            Played(of_order("approve"), approver, _("demo.approve"), self._approve),
            Played(of_order("commit"), approver, _("demo.commit"), self._commit),
            Played(of_order("confirm"), technician, _("demo.confirm"), self._confirm),
        ]

    def _run(self) -> Order:
        twin = self._twin
        proposed = run(twin.field(self._actor), twin.means(self._means))
        self._number = proposed.order.number
        self._actor.tell("change.you_may_leave", order=self._number)
        return proposed.order

    def _approve(self) -> Order:
        order = approve(self._twin.office(self._actor), self._number)
        self._actor.tell("change.approved", order=self._number, name=order.approver)
        if order.cooled:
            self._actor.tell("rehearse.cooling", hours=order.cooling_hours)
            self._twin.clock.reach(order.cooled)
        return order

    def _commit(self) -> Order:
        session = self._twin.office(self._actor)
        return commit(session, self._number, session.place.profile.poll.wait_seconds)

    def _confirm(self) -> Order:
        twin = self._twin
        return confirm(twin.field(self._actor), self._number, twin.bench.port).order


def _stopping(failure: PosctlError) -> Json:
    shown = describe(failure)
    told = {"problem": shown["text"], "next": shown["next"]}
    return {"code": failure.code, "blocks": True, **told}


def _shadow(home: Home, folder: Path) -> Home:
    """A copy of what the checks look at: keys and credentials stay where they are."""
    folder.mkdir(mode=0o700)
    for name in _COPIED:
        shutil.copyfile(home.path / name, folder / name)
    for name in _COPIED_FOLDERS:
        if (home.path / name).is_dir():
            shutil.copytree(home.path / name, folder / name)
    for place in ("field", "office"):
        (folder / place).mkdir(exist_ok=True)
    for name in ("log.db", "log.db-wal"):
        if (home.field / name).is_file():
            shutil.copyfile(home.field / name, folder / "field" / name)
    return Home(folder)
