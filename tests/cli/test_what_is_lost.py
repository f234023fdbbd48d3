"""Whoever takes something away is told what is gone with it."""

from __future__ import annotations

import pytest
from world import Site

from emulator.bench import MID

REGISTER = ("merchant", "register", MID, "--subject", "individual")
NAMES = ("--name", "小面馆", "--owner", "李四")


def test_an_entry_replaced_says_what_is_no_longer_on_file(site: Site) -> None:
    mandate = ("--mandate", "王五:2027-06-30")
    phone = ("--phone", "(010) 6655-4433")
    first = site.run(*REGISTER, *NAMES, *phone, *mandate)
    first.ok()
    assert "no longer" not in first.err
    again = site.run(*REGISTER, *NAMES, "--mandate", "赵六:2027-06-30")
    assert again.ok()["mandates"] == ["赵六"]
    assert "no longer on file" in again.err
    assert "--phone, --mandate 王五" in " ".join(again.err.split())


@pytest.mark.parametrize("phone", ["call me", "123", "1" * 19, "1355253550x"])
def test_a_phone_number_that_is_none_is_refused(site: Site, phone: str) -> None:
    refused = site.run(*REGISTER, *NAMES, "--phone", phone)
    assert refused.error["exit_code"] == 2
    assert "5 to 18 digits" in refused.error["text"]
    assert phone not in refused.error["text"]


def test_revoking_the_last_approver_warns(site: Site) -> None:
    site.run("operator", "issue", "zhao", "--role", "approver").ok()
    first = site.run("operator", "revoke", "wang")
    first.ok()
    assert "no approver" not in first.err
    last = site.run("operator", "revoke", "zhao")
    last.ok()
    assert "no approver known here is in force" in " ".join(last.err.split())
    technician = site.run("operator", "revoke", "li")
    technician.ok()
    assert "no approver" not in technician.err
