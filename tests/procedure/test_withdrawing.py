"""Withdrawing, freezing, cooling off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from procedures import (
    Changed,
    office,
    proposed,
    state,
    submitted,
)
from world import RUN_ANSWERS, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.model.errors import CheckFailed, ClosedNow
from posctl.office import commit


@pytest.mark.req("R35")
def test_cancel_before_the_provider_has_heard_of_it(site: Site) -> None:
    number = proposed(site)
    for _again in range(2):
        done = site.run("change", "cancel", number).ok()
        assert (done["state"], done["reason"]) == ("CANCELLED", "order.withdrawn")
        assert done["terminal"] == "n/a"  # nothing for it to show
    assert site.account() == OLD_NUMBER
    assert site.propose().ok()["order"] != number  # nothing blocks the next


@pytest.mark.req("R35")
def test_cancel_leaves_no_file_of_the_order_in_the_field(site: Site) -> None:
    said_no = (*RUN_ANSWERS[:-1], "NO")
    failed = site.run("change", "run", *site.means(), answers=said_no)
    number = failed.error["params"]["order"]
    means = site.home / "field" / "means" / f"{number}.json"
    assert means.exists()
    site.run("change", "cancel", number).ok()
    assert not means.exists()


@pytest.mark.req("R35")
def test_cancel_at_the_provider_is_a_rollback(site: Site) -> None:
    number = submitted(site)
    refused = site.run("change", "cancel", number)
    assert (refused.code, refused.error["code"]) == (7, "cancel.too_late")
    assert site.run("change", "rollback", number).ok()["state"] == "ROLLED_BACK"


@pytest.mark.req("R34")
@pytest.mark.req("R35")
def test_a_frozen_order_does_nothing_and_its_clock_stands_still(site: Site) -> None:
    number = site.approved()
    until = site.run("orders", "show", number).ok()["valid_until"]
    frozen = site.run("change", "freeze", number, "--reason", "dispute").ok()
    assert (frozen["state"], frozen["next"]) == (
        "FROZEN",
        f"posctl change thaw {number}",
    )
    stopped = site.commit(number)
    assert (stopped.code, stopped.error["code"]) == (10, "order.frozen")
    assert site.run("orders", "due", "--days", "30").ok()["due"] == []
    assert site.signed() == 0
    thawed = site.run("change", "thaw", number).ok()
    assert thawed["state"] == "APPROVED" and thawed["valid_until"] > until
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R35")
def test_thawing_is_the_offices(site: Site) -> None:
    said_no = (*RUN_ANSWERS[:-1], "NO")
    failed = site.run("change", "run", *site.means(), answers=said_no)
    number = failed.error["params"]["order"]
    site.run("change", "freeze", number, "--reason", "security").ok()
    refused = site.run("change", "thaw", number)
    assert refused.error["code"] == "thaw.at_field"
    resumed = site.run("change", "resume", number, *site.means(), answers=["CHANGE"])
    assert resumed.code != 0 and state(site, number) == "FROZEN"
    assert site.run("change", "cancel", number).error["code"] == "cancel.too_late"
    assert site.run("change", "rollback", number).ok()["state"] == "ROLLED_BACK"


@pytest.mark.req("R31")
def test_a_cooling_off_is_waited_for(changed: Changed) -> None:
    site = changed({"cooling_hours = 0": "cooling_hours = 24"})
    number = proposed(site)
    assert site.approve(number).ok()["state"] == "COOLING"
    early = site.commit(number)
    assert (early.code, early.error["code"]) == (10, "order.cooling")
    assert site.account() == OLD_NUMBER
    with pytest.raises(ClosedNow):
        commit.commit(office(site, timedelta(hours=23, minutes=59)), number, 5.0)
    done = commit.commit(office(site, timedelta(hours=24, minutes=1)), number, 5.0)
    assert (done.state, site.account()) == ("EFFECTIVE", NEW_NUMBER)


@pytest.mark.req("R31")
def test_the_merchant_may_object_while_it_cools(changed: Changed) -> None:
    site = changed({"cooling_hours = 0": "cooling_hours = 24"})
    number = proposed(site)
    site.approve(number).ok()
    assert site.run("change", "cancel", number).ok()["state"] == "CANCELLED"
    with pytest.raises(CheckFailed):
        commit.commit(office(site, timedelta(hours=30)), number, 5.0)
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R31")
def test_an_approval_whose_run_died_before_the_cooling_began_cools_all_the_same(
    changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = changed({"cooling_hours = 0": "cooling_hours = 24"})
    number = proposed(site)

    def died(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("posctl.office.approve.cool", died)
    assert site.approve(number).code == 130
    monkeypatch.undo()
    assert state(site, number) == "APPROVED"
    assert site.commit(number).error["code"] == "order.cooling"
    assert site.signed() == 0
