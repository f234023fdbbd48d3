"""The pytest plug-in: a fixture ``pos_bench``, a terminal, a card and an acquirer.

All are on real wires. ``@pytest.mark.pos_bench(protocol="zvt")`` says what is there.

When a test fails, what was said on the terminal's lines is in the report, masked.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulator.posbench import PosBench

_MARK = "pos_bench"
_BENCH = pytest.StashKey[Any]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{_MARK}(**scenario): what is on the bench of this test, as in"
        " emulator.bench.Scenario: protocol, card, transactions, baud, ...",
    )


@pytest.fixture
def pos_bench(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Generator[PosBench, None, None]:
    """A terminal, a card, a reader and an acquirer, for this test alone.

    Attributes: ``terminal``, ``card``, ``reader``, ``acquirer``, ``faults``,
    ``clock``; see ``emulator.posbench``.
    """
    make = _bench_class()
    with make(tmp_path / "pos_bench", **_scenario(request)) as bench:
        request.node.stash[_BENCH] = bench
        yield bench


def _scenario(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Of the nearest mark, on top of those around it."""
    marks = list(request.node.iter_markers(_MARK))
    if any(mark.args for mark in marks):
        pytest.fail(f"{_MARK} takes keywords only, as in {_MARK}(card='none')", False)
    told: dict[str, Any] = {}
    for mark in reversed(marks):
        told |= mark.kwargs
    return told


def _bench_class() -> type[PosBench]:
    """Says so when another package of this name stands before posctl's."""
    try:
        from emulator.posbench import PosBench
    except ImportError as error:
        import emulator

        where = getattr(emulator, "__file__", None) or list(emulator.__path__)
        text = f"pos_bench: `emulator` is another package here ({where}): {error}"
        raise pytest.UsageError(text) from None
    return PosBench


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    bench = item.stash.get(_BENCH, None)
    if report.failed and bench is not None:
        said = bench.terminal.conversation or ["(nothing was said)"]
        report.sections.append(("pos_bench: the terminal's lines", "\n".join(said)))
    return report
