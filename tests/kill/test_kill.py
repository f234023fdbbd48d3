"""SIGKILL just before and just after every append of a whole change (R37).

Each effect is so met both not done (killed after its intent was written) and done but
unrecorded (killed before its outcome was). The next run says what happened; `resume`
finishes; before the commit point `rollback` undoes. Afterwards the ledger, the
terminal and both stores are looked at, each for itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from world import RUN_ANSWERS, MakeSite, Ran, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.change.order import fold
from posctl.change.states import FINAL
from posctl.model.clock import SystemClock
from posctl.store.eventlog import EventLog

COURSE = """
field order.opened
field look.done
field preflight.passed
field backup.proved
field account.sealed
field order.proposed
field order.sent
office (absorb)
office order.received
office order.approved
office apply.intended
office apply.done
office sign.intended
office sign.done
office provider.effective
office readback.done
office receipt.issued
office order.returned
field (absorb)
field order.received
field settle.intended
field settle.done
field terminal.confirmed
field order.closed
office (absorb)
office order.received
""".split("\n")[1:-1]
SIGN_INTENDED = COURSE.index("office sign.intended") + 1
POINTS = [
    pytest.param(number, moment, id=f"{moment} {number} {COURSE[number - 1]}")
    for number in range(1, len(COURSE) + 1)
    for moment in ("before", "after")
]
MOST_STEPS = 12
AUDIT = 0.05


@pytest.fixture
def kill_site(make_site: MakeSite) -> Site:
    return make_site(audit=AUDIT)


def play(site: Site, point: int, moment: str) -> subprocess.CompletedProcess[str]:
    """The whole change in one process, which dies at the point."""
    port = ["--port", site.bench.port]
    commands = [
        [["change", "run", *site.means()], list(RUN_ANSWERS)],
        [["change", "approve", "ORDER"], [NEW_NUMBER[-4:]]],
        [["change", "commit", "ORDER"], []],
        [["change", "confirm", "ORDER", *port], ["SETTLE"]],
        [["orders", "list"], []],
    ]
    plan = {
        "home": str(site.home),
        "point": point,
        "moment": moment,
        "commands": commands,
    }
    return subprocess.run(
        [sys.executable, str(Path(__file__).with_name("scripted.py"))],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=60,
    )


def newest(site: Site) -> dict[str, str] | None:
    rows = site.run("orders", "list").ok()["orders"]
    return rows[-1] if rows else None


def recover(site: Site) -> str:
    """What li and wang do, told by nothing but the tool; the order's number."""
    for _step in range(MOST_STEPS):
        order = newest(site)
        if order is None:
            site.propose().ok()
            continue
        number, state = order["order"], order["state"]
        again = resume(site, number)
        assert f"order {number} stands at {state}" in again.err
        if again.code and again.error["code"] == "order.not_approved":
            site.approve(number).ok()
            continue
        assert again.code == 0, again.err + json.dumps(again.data)
        if state == "CLOSED":
            return number
    pytest.fail(f"not closed after {MOST_STEPS} steps: {newest(site)}")


def resume(site: Site, number: str) -> Ran:
    """Answers are those that the order's state asks for."""
    order = site.run("orders", "show", number).ok()
    answers = list(RUN_ANSWERS)
    if order["new"]:
        answers = ["CHANGE"] if order["state"] == "BACKED_UP" else ["SETTLE"]
    return site.run("change", "resume", number, *site.means(), answers=answers)


def stores(site: Site) -> dict[str, EventLog]:
    return {
        place: EventLog(site.home / place / "log.db", fold, SystemClock())
        for place in ("field", "office")
    }


def test_the_points_are_those_of_the_course(kill_site: Site) -> None:
    done = play(kill_site, 0, "before")
    assert done.returncode == 0, done.stderr
    ran = [line for line in done.stdout.splitlines() if "provider.auditing" not in line]
    assert ran == COURSE


@pytest.mark.kill
@pytest.mark.req("R37")
@pytest.mark.req("R39")
@pytest.mark.parametrize(("point", "moment"), POINTS)
def test_resume_finishes(kill_site: Site, point: int, moment: str) -> None:
    site = kill_site
    died = play(site, point, moment)
    assert died.returncode == -9, died.stderr
    assert site.account() in (OLD_NUMBER, NEW_NUMBER)
    if unfinished(site):
        said = site.propose()
        assert said.error["code"] in ("order.open", "order.at_office"), said.err

    number = recover(site)

    assert (site.account(), site.version(), site.signed()) == (NEW_NUMBER, 2, 1)
    tag = site.bench.terminal.core.binding_tag()
    assert tag is not None and (tag.version, tag.mask) == (2, "621626*********0018")
    assert site.bench.terminal.core.batch == 2  # settled once
    site.run("orders", "list").ok()
    for log in stores(site).values():
        log.verify()
        kinds = [event.kind for event in log.events(number)]
        for once in ("apply.done", "receipt.issued", "terminal.confirmed"):
            assert kinds.count(once) == 1
        log.close()
    office = stores(site)["office"]
    assert [key for key, _order, _notice in office.outbox()] == [number]
    office.close()


def unfinished(site: Site) -> bool:
    """An effective order does not stand in the way of a new, reverse one."""
    order = newest(site)
    return order is not None and order["state"] not in {*FINAL, "EFFECTIVE"}


@pytest.mark.kill
@pytest.mark.req("R37")
@pytest.mark.parametrize(("point", "moment"), POINTS)
def test_rollback_undoes_or_is_refused(
    kill_site: Site, point: int, moment: str
) -> None:
    site = kill_site
    assert play(site, point, moment).returncode == -9
    order = newest(site)
    if order is None:
        assert (site.account(), point, moment) == (OLD_NUMBER, 1, "before")
        return
    number = order["order"]
    ended = site.run("change", "rollback", number)
    if (point, moment) == (SIGN_INTENDED, "after") or point > SIGN_INTENDED:
        assert (ended.code, ended.error["code"]) in (
            (7, "rollback.too_late"),
            (7, "order.over"),
        )
        return
    if ended.code and ended.error["code"] == "order.in_transit":
        resume(site, number).ok()
        ended = site.run("change", "rollback", number)
    assert ended.ok()["state"] == "ROLLED_BACK"
    time.sleep(3 * AUDIT)  # nothing may take effect afterwards either
    assert (site.account(), site.version(), site.signed()) == (OLD_NUMBER, 1, 0)
    tag = site.bench.terminal.core.binding_tag()
    assert tag is not None and tag.version == 1
    for log in stores(site).values():
        log.verify()
        log.close()
    assert site.propose().ok()["order"] != number
