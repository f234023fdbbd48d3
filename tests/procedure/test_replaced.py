"""An effective order that a later one replaced before anybody visited its terminal."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from procedures import office, state
from world import RUN_ANSWERS, Ran, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER
from posctl.model.canonical import canonical
from posctl.store.home import Home


@pytest.fixture
def replaced(site: Site) -> str:
    """Effective; the terminal has fetched it, and nobody has looked."""
    number = site.approved()
    site.commit(number).ok()
    site.run("orders", "list").ok()
    site.bench.loop.run(site.bench.terminal.host.download())
    return number


def way_back(site: Site) -> str:
    """A later order, to the old account; effective."""
    answers = [OLD_NUMBER, OLD_NUMBER, NEW_NUMBER, *RUN_ANSWERS[1:]]
    ran = site.run("change", "run", "--typed", *site.means(), answers=answers)
    number = str(ran.ok()["order"])
    site.run("change", "approve", number, answers=[OLD_NUMBER[-4:]]).ok()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    return number


def shown(site: Site, number: str) -> dict[str, object]:
    return site.run("orders", "show", number).ok()


def closed_without_a_look(ran: Ran, other: str) -> None:
    closed = ran.ok()
    assert (closed["state"], closed["terminal"]) == ("CLOSED", "n/a")
    assert closed["serial_bytes"] == 0 and other in ran.err


@pytest.mark.req("R35", "R37")
def test_it_is_closed_as_what_it_is(site: Site, replaced: str) -> None:
    """And is no account that takings go to, from the moment of the later one."""
    before = shown(site, replaced)
    assert before["effective"] == "621626*********0018"
    assert before["replaced_by"] is None
    later = way_back(site)
    after = shown(site, replaced)
    assert (after["effective"], after["replaced_by"]) == (None, later)
    closed_without_a_look(site.confirm(replaced), later)
    assert site.confirm(later).ok()["terminal"] == "confirmed"
    assert site.account() == OLD_NUMBER
    site.run("audit", "verify").ok()


@pytest.mark.req("R35", "R37")
def test_another_laptop_learns_it_with_the_office_s_list(
    site: Site, replaced: str, tmp_path: Path
) -> None:
    """By its own store it is the newest there is; the terminal shows a later version,
    which only the office can tell from a forged one."""
    field, own = Home(site.home).field, tmp_path / "own"
    shutil.copytree(field, own)
    later = way_back(site)
    site.confirm(later).ok()
    site.run("orders", "list").ok()
    shutil.rmtree(field)
    shutil.copytree(own, field)
    refused = site.confirm(replaced)
    assert refused.error["code"] == "terminal.third_account"
    assert "posctl merchant fetch" in refused.error["next"]
    assert state(site, replaced) == "EFFECTIVE"
    site.run("merchant", "fetch", MID).ok()
    closed_without_a_look(site.confirm(replaced), later)


@pytest.mark.req("R35")
def test_the_list_of_before_and_its_own_entry_replace_nothing(site: Site) -> None:
    number = site.approved()
    site.commit(number).ok()
    site.run("merchant", "fetch", MID).ok()
    assert shown(site, number)["replaced_by"] is None
    assert site.confirm(number).ok()["terminal"] == "confirmed"


@pytest.mark.req("R35")
@pytest.mark.parametrize("kind", ["damaged", "unsigned", "of another merchant"])
def test_a_list_that_is_not_to_be_believed_replaces_nothing(
    site: Site, kind: str
) -> None:
    """Nor does it keep anybody from looking at the order and at the terminal."""
    number = site.approved()
    site.commit(number).ok()
    path = Home(site.home).field / "terminals" / f"{MID}.json"
    newest = {"order": "AAAA-AAAAA", "since": "2099-01-01T00:00:00.000Z"}
    data = json.loads(path.read_bytes())
    body = data["body"] | {"effective": newest}
    if kind == "of another merchant":
        body |= {"mid": "898110054110002"}
        data["proof"] = office(site, timedelta()).operator.sign("terminal list", body)
    path.write_bytes(b"{" if kind == "damaged" else canonical({**data, "body": body}))
    assert shown(site, number)["replaced_by"] is None
    closed = site.confirm(number).ok()
    assert (closed["state"], closed["terminal"]) == ("CLOSED", "confirmed")
    assert closed["serial_bytes"] > 0 and site.account() == NEW_NUMBER
