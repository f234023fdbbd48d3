"""Places for the steps of the verification service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from verification_place import (
    REGISTERED,
    MakePlace,
    Place,
    SetClock,
    text_with,
    with_owner,
)

from emulator.bench import (
    ID_NUMBER,
    MID,
    OPERATOR,
    Bench,
    Scenario,
)


@pytest.fixture
def make_place(tmp_path: Path) -> Iterator[MakePlace]:
    with ExitStack() as stack:

        def make(*steps: str) -> Place:
            clock, path = SetClock(), tmp_path / "own.toml"
            path.write_text(text_with(*steps), "utf-8")
            scenario = Scenario(direct=True, audit=0.05)
            bench = Bench(tmp_path / "bench", scenario, clock=clock)
            place = Place(stack.enter_context(bench), tmp_path / "home")
            place.clock = clock
            place.setup(str(path))
            return place

        yield make


@pytest.fixture
def place(make_place: MakePlace) -> Place:
    return make_place("elements", "otp")


@pytest.fixture
def penny(make_place: MakePlace) -> Place:
    return make_place("penny_drop")


@pytest.fixture
def either(make_place: MakePlace) -> Place:
    place = make_place("elements", "otp|call_back")
    owner = ("--owner", OPERATOR, "--owner-id")
    place.run(*REGISTERED, *owner, answers=[ID_NUMBER]).ok()
    place.run("merchant", "fetch", MID).ok()
    return place


@pytest.fixture
def paid_or_called(make_place: MakePlace) -> Place:
    return with_owner(make_place("penny_drop|call_back"))
