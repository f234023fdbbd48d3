"""The commands on a terminal that speaks ZVT: what it cannot tell is said so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from world import Site

from emulator.bench import MID, SERIAL, TID, Bench, Scenario
from posctl.store import profiles


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    profile = tmp_path / "zvt.toml"
    text = profiles.example("emulator").replace('"poslink"', '"zvt"')
    profile.write_text(text, encoding="utf-8")
    scenario = Scenario(direct=True, protocol="zvt")
    with Bench(tmp_path / "bench", scenario) as bench:
        yield Site(bench, tmp_path / "home").setup(str(profile))


@pytest.fixture(params=["pty", "tcp"])
def port(request: pytest.FixtureRequest, site: Site) -> str:
    tcp = f"tcp:127.0.0.1:{site.bench.endpoints.tcp}"
    return site.bench.port if request.param == "pty" else tcp


@pytest.mark.req("R2")
def test_info_says_what_zvt_cannot_tell(site: Site, port: str) -> None:
    told = site.run("terminal", "info", "--port", port).ok()
    assert (told["protocol"], told["serial"], told["tid"]) == ("zvt", SERIAL, TID)
    assert (told["transactions"], told["amount"]) == (3, "158.00")
    assert told["account"] == "621234******1265"
    assert told["unknown"] == ["mid", "merchant_name", "batch", "last_settlement"]


@pytest.mark.req("R11")
def test_settle(site: Site, port: str) -> None:
    words = ("terminal", "settle", "--port", port)
    told = site.run(*words, answers=["SETTLE"]).ok()
    assert (told["settled"], told["batch"], told["host_code"]) == (True, None, "00")
    assert (told["transactions"], told["amount"]) == (3, "158.00")
    assert len(site.bench.host.settlements(TID)) == 1


@pytest.mark.req("R2")
def test_whose_terminal_it_is_cannot_be_told(site: Site, port: str) -> None:
    done = site.run("terminal", "info", "--port", port, "--merchant", MID)
    assert done.error["code"] == "look.unknown"
