"""A wait is never silent and never endless (R43)."""

from __future__ import annotations

import os
import re
import tty
from collections.abc import Iterator
from itertools import pairwise

import pytest
from commands import Command, Talked, failed, talk, untouched
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import NEW_NUMBER
from emulator.faults import Fault
from posctl.field import look

LONGEST_SILENCE = 2.5
"""Two seconds are promised; the rest is for a busy machine."""
ELAPSED = re.compile(r"^  … (?P<label>.+), (?P<seconds>\d+) s$")


def silences(done: Talked) -> list[float]:
    """Between the lines, and from the last line to the end.

    The start of the interpreter, before the first line, is not a wait.
    """
    moments = [at for at, _line in done.lines] + [done.seconds]
    return [after - before for before, after in pairwise(moments)]


def elapsed(done: Talked, label: str = "") -> list[int]:
    """The seconds that the lines tell, under a label or under any."""
    found = (ELAPSED.match(line) for _at, line in done.lines)
    return [int(f["seconds"]) for f in found if f and label in ("", f["label"])]


@pytest.mark.req("R43")
def test_a_provider_that_answers_after_five_seconds(site: Site) -> None:
    number = site.approved()
    slow = Fault("complex_alter_acctinfo", "delay", seconds=5.0)
    site.bench.provider.faults.add(slow)
    done = talk(site, "change", "commit", number, "--json")
    assert done.ran().ok()["state"] == "EFFECTIVE"
    assert site.bench.provider.faults.struck == [slow]
    assert done.seconds > 5.0
    seconds = elapsed(done, "waiting for the provider")
    assert len(seconds) >= 2 and seconds == sorted(set(seconds))
    assert max(silences(done)) <= LONGEST_SILENCE
    assert (site.account(), site.signed()) == (NEW_NUMBER, 1)


@pytest.mark.req("R43")
def test_a_card_that_is_never_inserted(make_site: MakeSite) -> None:
    site = make_site(card="none")
    means = [*site.means()[:-2], "--wait-card", "2.2"]
    done = talk(site, "change", "run", *means, "--json", answers=RUN_ANSWERS)
    failed(done.ran(), "card.none", 4)
    assert elapsed(done, "waiting for the card") == [2]
    assert 2.2 <= done.seconds < 6.0
    assert max(silences(done)) <= LONGEST_SILENCE
    untouched(site)


# The deadline of a look is long, for slow lines. The test makes it shorter, in the
# process of the command itself; the waiting and its end are the product's.
SHORT = "from posctl.field import look; look.LOOK_SECONDS = {seconds}; "
MAIN = "from posctl.cli.main import main; main()"
SHORT_SECONDS = 2.2


@pytest.fixture
def mute_line() -> Iterator[str]:
    """A serial line that takes every byte and never answers."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.mark.req("R43")
def test_a_terminal_that_never_answers(site: Site, mute_line: str) -> None:
    arguments = ["change", "run", "--port", mute_line, "--json"]
    program = ["-c", SHORT.format(seconds=SHORT_SECONDS) + MAIN]
    done = Command(site, arguments, program=program).start().finish()
    error = failed(done.ran(), "terminal.silent", 5)
    assert error["params"]["seconds"] == str(SHORT_SECONDS)
    assert error["params"]["link"] == mute_line
    assert SHORT_SECONDS <= done.seconds < SHORT_SECONDS + 3.0
    assert elapsed(done)
    assert max([done.lines[0][0], *silences(done)]) <= LONGEST_SILENCE + 1.0
    assert site.run("orders", "list").ok()["orders"] == []
    untouched(site)


@pytest.mark.req("R43")
def test_the_deadline_of_a_look_as_it_is_shipped() -> None:
    assert 0 < look.LOOK_SECONDS <= 30.0


@pytest.mark.req("R43")
def test_a_provider_that_never_ends_its_answer(site: Site) -> None:
    """A byte now and then resets every read; only a deadline of the whole ends it."""
    number = site.approved()
    site.bench.provider.faults.add(Fault("terminals_qry", "drip", seconds=0.5))
    program = [
        "-c",
        "from posctl.office.steps import identity as i; i.CALL_SECONDS = 1.0; " + MAIN,
    ]
    arguments = ["change", "commit", number, "--json"]
    done = Command(site, arguments, program=program).start().finish()
    error = failed(done.ran(), "host.timeout", 5)
    assert error["params"]["sent"] == "True"
    assert 1.0 <= done.seconds < 5.0
    assert site.run("orders", "show", number).ok()["state"] == "APPROVED"
    untouched(site)


def test_silence_is_measured() -> None:
    """A guard for the tests above."""
    quiet = Talked(0, "", [(0.1, "a"), (3.1, "b")], 3.2)
    assert max(silences(quiet)) == pytest.approx(3.0)
