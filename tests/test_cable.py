"""The cable is pulled at the worst moment: in every exchange, before or after it acts.

A proxy on the terminal's TCP line stands for the cable. Afterwards the terminal, the
ledger and the order are looked at, each for itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cable import Cable
from world import RUN_ANSWERS, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER

EXCHANGES_OF_A_RUN = 12
"""More than `change run` has up to the card; a cut that never comes changes nothing."""


@pytest.fixture
def cable(site: Site) -> Iterator[type[Cable]]:
    made: list[Cable] = []

    def make(command: bytes | None, exchange: int, *, before: bool) -> Cable:
        port = site.bench.endpoints.tcp
        assert port is not None
        made.append(Cable(port, command, exchange, before=before))
        return made[-1]

    yield make  # type: ignore[misc]
    for one in made:
        one.stop()


@pytest.mark.req("R37")
@pytest.mark.parametrize("before", [True, False], ids=["unheard", "unanswered"])
@pytest.mark.parametrize("exchange", range(1, EXCHANGES_OF_A_RUN + 1))
def test_pulled_in_any_exchange_of_a_run(
    site: Site, cable: type[Cable], exchange: int, before: bool
) -> None:
    line = cable(None, exchange, before=before)
    means = ["--port", line.address, *site.means()[2:]]
    first = site.run("change", "run", *means, answers=RUN_ANSWERS)
    assert (first.code == 5) == line.pulled, first.err
    assert site.account() == OLD_NUMBER
    orders = site.run("orders", "list").ok()["orders"]
    if not orders:
        assert site.propose().ok()["state"] == "PROPOSED"
    elif line.pulled:
        number = orders[0]["order"]
        assert f"posctl change resume {number}" in first.error["next"]
        again = site.run("change", "resume", number, *site.means(), answers=RUN_ANSWERS)
        assert again.ok()["state"] == "PROPOSED"
    assert site.bench.terminal.core.batch == 1


@pytest.mark.req("R37")
@pytest.mark.req("R38")
@pytest.mark.parametrize("before", [True, False], ids=["unheard", "unanswered"])
def test_pulled_while_the_terminal_settles(
    site: Site, cable: type[Cable], before: bool
) -> None:
    """Settled or not, nobody was told; the next run asks the terminal and knows."""
    number = site.approved()
    site.commit(number).ok()
    line = cable(b"B00", 1, before=before)
    lost = site.run(
        "change", "confirm", number, "--port", line.address, answers=["SETTLE"]
    )
    assert (lost.code, lost.error["code"]) == (8, "effect.unknown")
    assert line.pulled
    core = site.bench.terminal.core
    assert core.batch == (1 if before else 2)
    assert site.account() == NEW_NUMBER
    shown = site.run("orders", "show", number).ok()
    assert (shown["state"], shown["unsettled_effect"]) == ("EFFECTIVE", "settle")

    assert site.confirm(number).ok()["state"] == "CLOSED"
    assert core.batch == 2  # settled once
    tag = core.binding_tag()
    assert tag is not None and (tag.version, tag.mask) == (2, "621626*********0018")
    assert (site.account(), site.version(), site.signed()) == (NEW_NUMBER, 2, 1)
