"""Every fault at every point of a change by chip; see docs/recovery.md.

The pairs are shared out over ``CHUNKS`` tests. What each means for people is in
``attempt``, what must be true afterwards in ``checks``.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from attempt import ENDINGS, Attempt, play
from points import FAULTS, MOMENTS, Pair, Point, Recorder, pairs
from stage import PLAIN, SETTINGS, Stage
from zygote import ALL, Strike

CHUNKS = 40
LEAST = 500
SEED = 20261125
COURSE = {
    "field": "order.opened look.done preflight.passed backup.proved account.sealed"
    " order.proposed order.sent (absorb) order.received settle.intended settle.done"
    " terminal.confirmed order.closed",
    "office": "(absorb) order.received order.approved apply.intended apply.done"
    " sign.intended sign.done provider.effective readback.done receipt.issued"
    " order.returned",
}
MORE = {
    "cooling": {"order.cooling", "order.cooled"},
    "corporate": {
        *("payment.intended", "payment.done", "amount.intended", "amount.done"),
    },
}


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("recovery")) as made:
        yield made


@pytest.fixture(scope="session")
def points(stage: Stage) -> list[Point]:
    return Recorder(stage, PLAIN).record()


def attempts(points: list[Point]) -> list[Attempt]:
    """One for each pair, to be resumed or rolled back as the seed says, and one more
    the other way round for each kill. Within an append only kills: `make soak` has the
    others."""
    made = []
    for pair in pairs(points)[0]:
        if pair.point.moment == "within" and pair.fault != "SIGKILL":
            continue
        chance = random.Random(f"{SEED} {pair}")  # noqa: S311 - must repeat
        ending = chance.choice(ENDINGS)
        both = pair.fault == "SIGKILL" and pair.point.moment != "within"
        endings = ENDINGS if both else (ending,)
        made += [Attempt((pair.strike,), ending) for ending in endings]
    return made


@pytest.mark.req("R37")
@pytest.mark.req("R38")
@pytest.mark.req("R39")
@pytest.mark.req("R40")
@pytest.mark.req("R41")
@pytest.mark.req("R46")
@pytest.mark.req("R50")
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_it_ends_on_old_or_new_as_the_log_says(
    stage: Stage, points: list[Point], chunk: int
) -> None:
    for attempt in attempts(points)[chunk::CHUNKS]:
        play(stage, attempt)


@pytest.mark.req("R37")
@pytest.mark.parametrize("fault", ["SIGKILL", "disk full"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_rollback_that_fails_too(
    stage: Stage, points: list[Point], moment: str, fault: str
) -> None:
    """Wherever the order was: it can still be resumed, or rolled back."""
    for kind in ("account.sealed", "order.sent", "order.received", "apply.done"):
        point = next(p for p in points if p.kind == kind)
        later = Strike(ALL, "rollback.done", 1, moment, fault)
        play(stage, Attempt((point.strike("SIGTERM"),), "rollback", later=(later,)))


@pytest.mark.req("R37")
def test_there_are_enough_and_none_is_missing(points: list[Point]) -> None:
    made, left_out = pairs(points)
    assert len(attempts(points)) >= LEAST
    assert len(made) + left_out.total() == len(points) * len(FAULTS)
    struck = Counter(pair.fault for pair in made)
    assert struck.keys() == FAULTS.keys()
    for everywhere in ("SIGKILL", "SIGTERM", "Ctrl-C"):
        assert struck[everywhere] == len(points)
    assert struck["clock back"] == len(points) * 2 // 3


@pytest.mark.req("R37")
def test_the_points_are_those_of_the_course(points: list[Point]) -> None:
    for place, kinds in COURSE.items():
        found = [p.kind for p in points if p.place == place and p.moment == "before"]
        assert set(found) == set(kinds.split())
    assert len(points) == len(set(points))


@pytest.mark.req("R37")
@pytest.mark.parametrize("setting", SETTINGS[1:], ids=str)
def test_other_courses_have_their_points_too(stage: Stage, setting: object) -> None:
    """Their pairs are played by `make soak`."""
    chosen = next(s for s in SETTINGS if s == setting)
    recorder = Recorder(stage, chosen)
    kinds = {point.kind for point in recorder.record()}
    assert [ran.words for ran in recorder.ran][-1] == ("orders", "list")
    for name, more in MORE.items():
        assert more <= kinds or name not in (chosen.profile, chosen.source)


@pytest.mark.req("R37")
@pytest.mark.parametrize("setting", SETTINGS[1:], ids=str)
def test_a_kill_in_other_courses(stage: Stage, setting: object) -> None:
    chosen = next(s for s in SETTINGS if s == setting)
    found = Recorder(stage, chosen).record()
    own = [p for p in found if p.kind in set().union(*MORE.values())] or found[8:12]
    for point in own:
        strike = Pair(point, "SIGKILL").strike
        for ending in ENDINGS:
            play(stage, Attempt((strike,), ending, chosen))
