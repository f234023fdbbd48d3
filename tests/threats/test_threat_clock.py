"""Clocks put back, and put on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attacks import approve, nothing_changes, refused, renew_profile, set_clock
from orderfiles import add_events, forge, rewrite
from procedures import office, proposed, state
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import MID, OLD_NUMBER
from posctl.model.errors import CheckFailed
from posctl.office import commit
from posctl.office.approve import valid_until


@pytest.fixture
def aged(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Set up 60 days ago, so that no certificate is younger than the attack."""
    set_clock(monkeypatch, -60)
    site = make_site()
    set_clock(monkeypatch, 0)
    site.run("merchant", "fetch", MID).ok()
    return site


@pytest.mark.req("R34")
def test_an_expired_order_does_not_come_back(
    aged: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Day 16 is over; the office's clock is put back by 20 days."""
    number = aged.approved()
    set_clock(monkeypatch, 16 - 20)
    with nothing_changes(aged):
        refused(aged.commit(number), "clock.back")
    set_clock(monkeypatch, 16)
    refused(aged.commit(number), "order.expired")
    assert (aged.account(), state(aged, number)) == (OLD_NUMBER, "EXPIRED")


@pytest.mark.req("R34")
def test_a_small_step_of_the_clock_does_no_harm(
    aged: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = aged.approved()
    set_clock(monkeypatch, -4 / 60 / 24)
    assert aged.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R1")
@pytest.mark.parametrize("days", [-20, 731])
def test_a_certificate_outside_its_time(
    site: Site, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    number = proposed(site)
    site.run("orders", "list").ok()
    set_clock(monkeypatch, days)
    with nothing_changes(site):
        refused(approve(site, number), "signature.certificate")


@pytest.mark.req("R31")
@pytest.mark.parametrize("ahead", [6, -6])
def test_the_fields_clock_does_not_shorten_a_cooling_off(
    aged: Site, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """It is counted from the approval, on the office's clock. (The terminal's clock is
    put off with the field's, or it refuses.)"""
    renew_profile(aged, ("cooling_hours = 0", "cooling_hours = 24"))
    set_clock(monkeypatch, ahead)
    if ahead < 0:
        aged.run("merchant", "fetch", MID).ok()
    refused(aged.propose(), "terminal.clock")
    aged.bench.terminal.core.clock_ahead = timedelta(days=ahead)
    (order,) = aged.run("orders", "list").ok()["orders"]
    number, means = order["order"], aged.means()
    aged.run("change", "resume", number, *means, answers=RUN_ANSWERS).ok()
    set_clock(monkeypatch, 0)
    approve(aged, number).ok()
    refused(aged.commit(number), "order.cooling", 10)
    set_clock(monkeypatch, 0.99)
    refused(aged.commit(number), "order.cooling", 10)
    assert aged.account() == OLD_NUMBER


@pytest.mark.req("R34")
@pytest.mark.parametrize("by", ["field", "office"])
def test_a_field_does_not_date_its_orders_arrival(
    site: Site, sent: Path, by: str
) -> None:
    """From it on an order's days are counted: only the office's own counts."""

    def arrive(data: dict[str, object]) -> None:
        del data["body"]["events"][-1]  # type: ignore[index]
        received = {"by": by, "head": "0" * 64, "signer": "li", "fingerprint": "x"}
        add_events(data, ("order.received", received), ("order.sent", {"to": "office"}))

    rewrite(site, sent, arrive)
    late = "2099-01-01T00:00:00.000Z"

    def redate(kind: str, payload: dict[str, object]) -> dict[str, object]:
        return payload | ({"valid_until": late} if kind == "order.proposed" else {})

    forge(site, sent, redate)
    number = json.loads(sent.read_text())["body"]["order"]
    ran = approve(site, number, "--order-file", str(sent))
    if by == "office":
        refused(ran, "order.payload")
    else:
        assert ran.code == 0
        session = office(site, timedelta())
        until = valid_until(session, session.place.journal(number))
        assert until < datetime.now(UTC) + timedelta(days=16)


@pytest.mark.req("R5")
def test_the_date_of_a_profile_warns_only(
    aged: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that putting a clock back, or on, gains nothing."""
    set_clock(monkeypatch, 700)
    told = aged.run("profile", "show")
    assert told.code == 0 and "somebody should look at it" in told.err
    set_clock(monkeypatch, 0)


@pytest.mark.req("R34")
def test_a_session_behind_the_order_is_refused(aged: Site) -> None:
    """As the code sees it, without the command."""
    number = aged.approved()
    with pytest.raises(CheckFailed, match=r"clock\.back"):
        commit.commit(office(aged, timedelta(days=-4)), number, 1.0)
