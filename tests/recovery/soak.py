"""Random attempts by the thousand: `make soak`. See docs/recovery.md.

    python tests/recovery/soak.py --count 10000 --seconds 600 --seed 7 --jobs 2
    python tests/recovery/soak.py --seed 7:1234      repeats one attempt

Each attempt is made from the seed and its number alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

from attempt import ENDINGS, Attempt, play
from points import FAULTS, MOMENTS, STRIKES_WITHIN, Pair, Recorder, pairs
from stage import PLAIN, SETTINGS, Setting, Stage
from zygote import ALL, Strike

COUNT = 10_000
JOBS = 2
TELL_EVERY = 5.0
MORE_FAULTS = (0.5, 0.3, 0.2)
"""Chances of one, two and three faults."""
IN_THE_COURSE = 0.4
"""Chance that a second or third fault strikes the course, not the recovery."""
LONGEST_WAY = 8
"""A later fault strikes at one of the first appends of a recovery."""


@dataclass(frozen=True)
class Done:
    """One attempt; ``failure`` is the whole story of one that failed."""

    seed: str
    what: str
    state: str
    faults: tuple[str, ...]
    seconds: float
    failure: str = ""
    broken: bool = False


class Dice:
    """Draws attempts. The points of each setting are found once."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._pairs: dict[Setting, list[Pair]] = {}

    def draw(self, seed: str) -> Attempt:
        chance = random.Random(seed)  # noqa: S311 - must repeat
        setting = chance.choice((PLAIN, *SETTINGS))
        first, later = [chance.choice(self._all(setting)).strike], []
        for _more in range(chance.choices((0, 1, 2), MORE_FAULTS)[0]):
            if chance.random() < IN_THE_COURSE:
                first.append(chance.choice(self._all(setting)).strike)
            else:
                later.append(_anywhere(chance))
        return Attempt(tuple(first), chance.choice(ENDINGS), setting, tuple(later))

    def _all(self, setting: Setting) -> list[Pair]:
        if setting not in self._pairs:
            points = Recorder(self._stage, setting).record()
            self._pairs[setting] = pairs(points)[0]
        return self._pairs[setting]


def _anywhere(chance: random.Random) -> Strike:
    nth, moment = chance.randint(1, LONGEST_WAY), chance.choice(MOMENTS)
    faults = [*STRIKES_WITHIN] if moment == "within" else [*FAULTS]
    return Strike(ALL, ALL, nth, moment, chance.choice(faults))


def try_one(stage: Stage, dice: Dice, seed: str) -> Done:
    attempt = dice.draw(seed)
    faults = tuple(s.fault for s in (*attempt.strikes, *attempt.later))
    state, failure, broken = "", "", False
    started = time.monotonic()
    try:
        state = play(stage, attempt).state
    except AssertionError as error:
        failure = str(error)
    except Exception:  # of the harness: the next attempt gets another stage
        failure, broken = f"{attempt}\n{traceback.format_exc()}", True
    seconds = time.monotonic() - started
    return Done(seed, str(attempt), state, faults, seconds, failure, broken)


def work(seeds: list[str], results: Any, until: float) -> None:
    """A process of its own: its part of the seeds, to the end or until the time."""
    left = iter(seeds)
    while _go_on(left, results, until):
        pass
    results.put(None)


def _go_on(left: Iterator[str], results: Any, until: float) -> bool:
    """On one stage; whether it broke, and another is needed."""
    with tempfile.TemporaryDirectory(prefix="posctl-soak-") as folder:
        with Stage(Path(folder) / "stage") as stage:
            dice = Dice(stage)
            for seed in left:
                if time.monotonic() > until:
                    return False
                results.put(done := try_one(stage, dice, seed))
                if done.broken:
                    return True
    return False


@dataclass
class Tally:
    """Counts, and what is printed of them."""

    started: float
    done: int = 0
    slowest: Done | None = None

    def __post_init__(self) -> None:
        self.failed: list[Done] = []
        self.states: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._told = self.started

    def add(self, one: Done) -> None:
        self.done += 1
        self.states[one.state or "FAILED"] += 1
        self.faults.update(one.faults)
        if self.slowest is None or one.seconds > self.slowest.seconds:
            self.slowest = one
        if one.failure:
            self.failed.append(one)
            print(f"FAILED --seed {one.seed}\n{one.failure}", flush=True)
        if time.monotonic() - self._told > TELL_EVERY:
            self._told = time.monotonic()
            self.line()

    def line(self) -> None:
        seconds = time.monotonic() - self.started
        each = seconds / max(1, self.done)
        failed = len(self.failed)
        print(
            f"{seconds:6.0f} s  {self.done} attempts, {failed} failed,"
            f" {each:.2f} s each",
            flush=True,
        )

    def end(self) -> None:
        self.line()
        for name, counted in (("ended", self.states), ("faults", self.faults)):
            told = ", ".join(f"{key} {n}" for key, n in sorted(counted.items()))
            print(f"{name}: {told}")
        if self.slowest:
            slow = self.slowest
            print(f"slowest: {slow.seconds:.2f} s, --seed {slow.seed} ({slow.what})")
        for one in self.failed:
            print(f"FAILED: --seed {one.seed} ({one.what})")


def collect(seeds: list[str], jobs: int, seconds: float) -> Tally:
    started = time.monotonic()
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    parts = [
        spawn.Process(target=work, args=(seeds[i::jobs], results, started + seconds))
        for i in range(jobs)
    ]
    for part in parts:
        part.start()
    tally = Tally(started)
    for one in _each(results, parts):
        tally.add(one)
    for part in parts:
        part.join()
        if part.exitcode:
            raise SystemExit(f"a worker ended with {part.exitcode}")
    return tally


def _each(results: Any, parts: list[Any]) -> Iterator[Done]:
    left = len(parts)
    while left:
        try:
            one = results.get(timeout=TELL_EVERY)
        except Empty:
            if all(not part.is_alive() for part in parts):
                return
            continue
        if one is None:
            left -= 1
        else:
            yield one


def tell_pairs() -> None:
    """How many pairs there are in each course, and why the others cannot be."""
    with tempfile.TemporaryDirectory(prefix="posctl-soak-") as folder:
        with Stage(Path(folder) / "stage") as stage:
            for setting in SETTINGS:
                points = Recorder(stage, setting).record()
                made, left_out = pairs(points)
                print(f"{setting}: {len(points)} points, {len(made)} pairs; not made:")
                for why, count in _by_reason(left_out):
                    print(f"    {count:4}  {why}")


def _by_reason(left_out: Counter[tuple[str, str]]) -> list[tuple[str, int]]:
    reasons: Counter[str] = Counter()
    for (_fault, why), count in left_out.items():
        reasons[why] += count
    return reasons.most_common()


def main() -> int:
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--count", type=int, default=COUNT)
    reader.add_argument("--seconds", type=float, default=float("inf"))
    reader.add_argument("--seed", default=str(secrets.randbelow(10**6)))
    reader.add_argument("--jobs", type=int, default=JOBS)
    asked = reader.parse_args()
    seed, colon, number = asked.seed.partition(":")
    alone = [f"{seed}:{int(number)}"] if colon else []
    seeds = alone or [f"{seed}:{n}" for n in range(1, asked.count + 1)]
    if not alone:
        tell_pairs()
    print(f"SEED {seed}: {len(seeds)} attempts, {asked.jobs} at a time", flush=True)
    tally = collect(seeds, 1 if alone else asked.jobs, asked.seconds)
    tally.end()
    return bool(tally.failed)


if __name__ == "__main__":
    sys.exit(main())
