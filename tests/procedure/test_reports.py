"""Reported to the clearing institution: an open task until it was confirmed (R46)."""

from __future__ import annotations

import json

import pytest
from procedures import Changed, proposed, shown
from world import Site

from emulator.bench import MID, NEW_NUMBER, SERIAL, TID
from protocols.sensitive import mask

REFERENCE = "QS-2026/1126"
CONFIRM = ("--reference", REFERENCE)


def effective(site: Site) -> str:
    number = site.approved()
    site.commit(number).ok()
    return number


def to_report(site: Site) -> list[str]:
    return [r["order"] for r in site.run("report", "list").ok()["reports"]]


@pytest.mark.req("R46")
def test_a_report_is_open_until_it_is_confirmed(site: Site) -> None:
    """It does not go with the terminal's visit: the order is closed, the task stays."""
    number = effective(site)
    assert shown(site, number)["tasks"] == ["confirm", "report"]
    site.confirm(number).ok()
    order = shown(site, number)
    assert (order["state"], order["tasks"]) == ("CLOSED", ["report"])
    (listed,) = site.run("report", "list").ok()["reports"]
    assert (listed["serial"], listed["tid"], listed["mid"]) == (SERIAL, TID, MID)
    assert (listed["acquirer"], listed["new"]) == ("chinaums", mask(NEW_NUMBER))
    said = site.run("report", "confirm", number, *CONFIRM).ok()
    assert (said["reference"], said["by"]) == (REFERENCE, "wang")
    assert to_report(site) == [] and shown(site, number)["tasks"] == []
    assert site.run("audit", "verify").ok()["heads"] == 0


@pytest.mark.req("R46")
def test_the_terminals_address_is_what_was_registered(site: Site) -> None:
    names = ("--name", "小面馆", "--owner", "全渠道", "--address", "南京路 1 号")
    code = ("--credit-code", "91350100M000100Y43")
    site.run("merchant", "register", "--subject", "individual", *names, *code, MID).ok()
    effective(site)
    (listed,) = site.run("report", "list").ok()["reports"]
    assert listed["installed_at"] == "南京路 1 号"
    assert listed["credit_code"] == "91350100M000100Y43"


@pytest.mark.req("R46", "R39")
def test_confirming_twice_is_harmless_and_another_reference_is_told(
    site: Site,
) -> None:
    number = effective(site)
    first = site.run("report", "confirm", number, *CONFIRM).ok()
    assert site.run("report", "confirm", number, *CONFIRM).ok() == first
    other = site.run("report", "confirm", number, "--reference", "QS-2")
    assert (other.code, other.error["code"]) == (7, "report.other_reference")
    assert other.error["params"]["reference"] == REFERENCE


@pytest.mark.req("R46")
def test_only_a_change_in_effect_is_reported(site: Site) -> None:
    number = proposed(site)
    early = site.run("report", "confirm", number, *CONFIRM)
    assert (early.code, early.error["code"]) == (7, "report.not_due")
    site.run("change", "rollback", number).ok()
    assert to_report(site) == [] and shown(site, number)["tasks"] == []


@pytest.mark.req("R4", "R46")
def test_whom_a_change_is_reported_to_is_the_profiles(changed: Changed) -> None:
    site = changed({'report = "清算机构 / the clearing institution"': 'report = ""'})
    number = effective(site)
    assert site.run("report", "list").ok() == {"to": None, "reports": []}
    refused = site.run("report", "confirm", number, *CONFIRM)
    assert refused.error["code"] == "report.not_due"


@pytest.mark.req("R46", "R50")
@pytest.mark.parametrize("part", ["reference", "order", "order_hash"])
def test_a_report_that_nobody_signed_is_found(site: Site, part: str) -> None:
    number = effective(site)
    site.run("report", "confirm", number, *CONFIRM).ok()
    path = site.home / "office" / "reports" / f"{number}.json"
    data = json.loads(path.read_text())
    data["body"][part] += "0"
    path.write_text(json.dumps(data))
    found = site.run("audit", "verify")
    assert (found.code, found.error["code"]) == (7, "report.altered")
    path.unlink()  # taken away: the task is open again, nothing is lost
    assert to_report(site) == [number]


@pytest.mark.req("R48")
def test_a_reference_is_no_account(site: Site) -> None:
    number = effective(site)
    refused = site.run("report", "confirm", number, "--reference", NEW_NUMBER)
    assert refused.code == 2
    assert NEW_NUMBER not in json.dumps(refused.data) + refused.err
    assert to_report(site) == [number]
