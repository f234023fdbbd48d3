"""Whoever takes something away is told what is gone with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import MakeSite, Site

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


def test_a_file_in_no_folder_is_refused_before_anything_is_asked(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    where = str(tmp_path / "nowhere" / "file.png")
    for words in (
        ("approval", "request", number, "--qr", where),
        ("receipt", "slip", number, "--output", where),
        ("orders", "due", "--ics", where),
        ("audit", "export", "--place", "office", "--output", where),
    ):
        refused = site.run(*words).error
        assert refused["exit_code"] == 2 and "there is no folder" in refused["text"]
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [(("change", "amount"), "amount.not_asked"), (("orders", "erase"), "erase.open")],
)
def test_what_cannot_be_done_is_not_asked_about(
    site: Site, words: tuple[str, str], code: str
) -> None:
    number = site.approved()
    refused = site.run(*words, number)
    assert refused.error["code"] == code
    assert "? " not in refused.err


@pytest.mark.req("R35")
def test_freezing_what_the_provider_has_says_that_it_goes_on(
    make_site: MakeSite,
) -> None:
    site = make_site(audit=60)
    early = site.approved()
    before = site.run("change", "freeze", early, "--reason", "dispute")
    assert before.ok()["state"] == "FROZEN" and "may still" not in before.err
    site.run("change", "thaw", early).ok()
    site.run("change", "commit", early, "--wait", "0")
    after = site.run("change", "freeze", early, "--reason", "dispute")
    assert after.ok()["state"] == "FROZEN"
    assert "may still decide it" in " ".join(after.err.split())


@pytest.mark.req("R25")
@pytest.mark.parametrize(
    ("code", "warns"),
    [
        ("91350100M000100Y43", False),  # worked through in public
        ("9135010000008MA000", False),  # made up: a check value of 31 is written 0
        ("91350211M0000XUF46", True),  # reported as issued, and failing all the same
    ],
)
def test_a_credit_code_that_fails_is_warned_about(
    site: Site, code: str, warns: bool
) -> None:
    ran = site.run(*REGISTER, *NAMES, "--credit-code", code)
    ran.ok()
    assert ("the check character of credit code" in ran.err) is warns


@pytest.mark.req("R25")
@pytest.mark.parametrize("code", ["91350100M000100Y4Z", "9135", "9" * 19])
def test_what_is_no_credit_code_is_refused(site: Site, code: str) -> None:
    refused = site.run(*REGISTER, *NAMES, "--credit-code", code)
    assert refused.error["exit_code"] == 2 and "18 digits" in refused.error["text"]
