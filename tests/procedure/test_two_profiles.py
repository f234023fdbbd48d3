"""Two profiles that differ in everything that is a profile's, on one bench (R4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from procedures import profile_text, register, site_with
from world import MakeSite, Ran, Site

from emulator.bench import BRANCH, MID, NEW_NUMBER, OLD_NUMBER, Till
from posctl.model.profile import Profile
from posctl.store.profiles import example, parse

FAR = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=12)
"""Half a day from now: whenever the test is run, the window is open."""
OTHER = {
    'merchant = "商户编号 / merchant number"': 'merchant = "会员号"',
    'fetch = "签到 / sign in"': 'fetch = "管理 > 更新"',
    "warns = 5": "warns = 3",
    "list_days = 30": "list_days = 7",
    'asks = ["branch", "mobile"]': 'asks = ["branch"]',
    "[pictures]": '[[documents]]\nkind = "0001"\nlabel = "营业执照"\nexpires = true\n\n'
    "[pictures]",
    "largest_bytes = 1500000": "largest_bytes = 1000000",
    '"identity", "old_account", "office_caps",': '"identity", "old_account",'
    ' "office_caps", "same_name", "call_back",',
    'checkers = ["office"]': 'checkers = ["colleague"]',
    "closed = []": f"closed = [[{FAR:%H}:00:00, {FAR:%H}:00:01]]",
    "merchants_per_account = 5": "merchants_per_account = 1",
    'change = "0.00"': 'change = "12.50"',
    'deposit = "0.00"': 'deposit = "100.00"',
    "变更生效后": "审核通过后",
    "valid_days = 15": "valid_days = 9",
    "every_seconds = 0.1": "every_seconds = 0.2",
    'provider = "none: an emulated provider"': 'hotline = "400 000 0000"',
}
"""Every table that people or a course meet."""
TABLES = (
    *("labels", "menus", "terminal", "identity", "account", "documents", "pictures"),
    *("verification", "windows", "caps", "fees", "terms", "order", "poll", "contacts"),
)


def read(text: str) -> Profile:
    return parse(text, source="-")


@pytest.mark.req("R4")
def test_they_differ_in_every_table() -> None:
    one, two = read(example("emulator")), read(profile_text("emulator", OTHER))
    same = [name for name in TABLES if getattr(one, name) == getattr(two, name)]
    assert same == []


@pytest.mark.req("R4", "R7", "R9")
def test_the_one_works(site: Site) -> None:
    receipt = course(site, site.propose(), NEW_NUMBER[-4:])
    assert receipt["fee"] == "0.00"


@pytest.mark.req("R4", "R7", "R9")
def test_the_other_works(make_site: MakeSite, tmp_path: Path) -> None:
    base = make_site(till=Till(pictures=("0025", "0026", "0001")))
    site = site_with(base, tmp_path / "other", OTHER)
    register(site, MID)
    answers = ("2099-12-31", OLD_NUMBER, BRANCH, "CHANGE")
    ran = site.run("change", "run", *site.means(), answers=answers)
    assert (
        "审核通过后" in ran.err
        and "(change 12.50, service 0.00, deposit 100.00)" in ran.err
    )
    receipt = course(site, ran, "CALLED", NEW_NUMBER[-4:])
    assert receipt["fee"] == "112.50"


def course(site: Site, ran: Ran, *answers: str) -> dict[str, object]:
    """The receipt of it."""
    number = str(ran.ok()["order"])
    site.run("change", "approve", number, answers=answers).ok()
    site.commit(number).ok()
    site.confirm(number).ok()
    assert site.account() == NEW_NUMBER
    return site.run("receipt", "show", number).ok()
