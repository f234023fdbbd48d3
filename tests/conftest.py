"""Benches and set-ups for every test."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import Bench, Scenario


def pytest_configure() -> None:
    """A shell starts what it puts in the background with Ctrl-C ignored, and children
    inherit that: then no test of an interrupt would mean anything."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def in_ci() -> bool:
    """There nothing may be skipped."""
    return os.environ.get("CI") == "true"


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Makes a site for a scenario, on the direct card link unless told otherwise."""
    with contextlib.ExitStack() as stack:

        def make(**scenario: Any) -> Site:
            wanted = Scenario(**{"direct": True, "audit": 0.05, **scenario})
            bench = stack.enter_context(Bench(tmp_path / "bench", wanted))
            return Site(bench, tmp_path / "home").setup()

        yield make


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


@pytest.fixture
def sent(site: Site, tmp_path: Path) -> Path:
    """An order file on its way: in no inbox, in nobody's store yet."""
    path = tmp_path / "sent.posctl-order"
    to_file = ["--order-file", str(path)]
    site.run("change", "run", *site.means(), *to_file, answers=RUN_ANSWERS).ok()
    return path
