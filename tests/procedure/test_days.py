"""Days: what is due, what expires, when nothing may be changed."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from procedures import (
    Changed,
    office,
    state,
)
from world import Site

from emulator.bench import OLD_NUMBER
from emulator.faults import Fault
from posctl.office import commit

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.req("R34")
def test_what_is_due_is_listed_and_written_as_a_calendar(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    assert site.run("orders", "due").ok()["due"] == []
    ics = tmp_path / "due.ics"
    due = site.run("orders", "due", "--days", "15", "--ics", str(ics)).ok()
    assert [(d["order"], d["state"]) for d in due["due"]] == [(number, "APPROVED")]
    text = ics.read_bytes().decode()
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert f"UID:{number}@posctl\r\n" in text and "TRIGGER:-P3D\r\n" in text
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75


@pytest.mark.req("R34")
def test_an_order_expires_on_its_day_and_frees_the_merchant(site: Site) -> None:
    number = site.approved()
    assert commit.expire(office(site, timedelta(days=14, hours=23))) == []
    ended = commit.expire(office(site, timedelta(days=15, hours=1)))
    assert (ended, state(site, number)) == ([number], "EXPIRED")
    assert site.commit(number).error["code"] == "order.over"
    assert site.propose().ok()["order"] != number


@pytest.mark.req("R34")
def test_an_order_behind_its_commit_point_does_not_expire(site: Site) -> None:
    site.bench.provider.faults.add(Fault("alter_sign", "drop_answer"))
    number = site.approved()
    assert site.commit(number).code == 8
    assert commit.expire(office(site, timedelta(days=40))) == []


@pytest.mark.req("R34", "R41")
@pytest.mark.parametrize("action", ["drop_answer", "refuse_before"])
def test_an_application_that_nobody_came_back_to_expires_unsigned(
    site: Site, action: str
) -> None:
    """Whether the provider took it or not: unsigned it takes no effect."""
    site.bench.provider.faults.add(Fault("complex_alter_acctinfo", action, times=9))
    number = site.approved()
    assert site.commit(number).code == 8
    assert commit.expire(office(site, timedelta(days=14))) == []
    site.bench.provider.faults.clear()
    assert commit.expire(office(site, timedelta(days=15, hours=1))) == [number]
    assert (state(site, number), site.account()) == ("EXPIRED", OLD_NUMBER)
    assert site.signed() == 0
    site.run("audit", "verify").ok()
    assert site.propose().ok()["order"] != number


@pytest.mark.req("R8")
def test_a_notice_that_stops_changes(changed: Changed) -> None:
    notice = """[[notices]]
id = "upgrade"
begins = 2026-01-01T00:00:00
ends = 2099-01-01T00:00:00
text = "系统升级 / system upgrade"
stops = true

[caps]"""
    site = changed({"[caps]": notice})
    ran = site.propose()
    assert (ran.code, ran.error["code"]) == (10, "notice.stops")
    assert "系统升级" in ran.err
    assert site.run("orders", "list").ok()["orders"] == []
    told = site.run("change", "notices").ok()["notices"]
    assert [n["notice"] for n in told] == ["upgrade"]


@pytest.mark.req("R8")
def test_plan_and_checklist_need_no_set_up(site: Site, tmp_path: Path) -> None:
    from dataclasses import replace

    nobody = replace(site, home=tmp_path / "nothing")
    plan = nobody.run("change", "plan", "--profile", "chinaums").ok()
    assert plan["closed"] == ["02:00-04:00"] and plan["time_zone"] == "Asia/Shanghai"
    slot = datetime.fromisoformat(plan["next_slot"]).astimezone(SHANGHAI)
    waits = slot - datetime.now(SHANGHAI)
    assert timedelta(minutes=-1) < waits  # now, or later
    assert not time(1, 55, 1) <= slot.time() < time(4)
    assert plan["open_now"] is (waits < timedelta(seconds=1))
    listed = nobody.run("change", "checklist", "--profile", "wechatpay").ok()
    assert "terminal" in listed["not_used"] and listed["documents"] == []
    card = nobody.run("change", "checklist", "--profile", "chinaums").ok()
    assert [d["kind"] for d in card["documents"]] == ["0025", "0026"]
    company = ("change", "checklist", "--profile", "chinaums", "--corporate")
    assert nobody.run(*company).ok()["documents"] == []
