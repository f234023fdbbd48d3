"""What the provider shows, and what it pushes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from procedures import (
    proposed,
    register,
    site_with,
    state,
    submitted,
)
from world import MakeSite, Site

from emulator.acquirer.partners import add_lakala
from emulator.bench import BRANCH, MID, NEW_NUMBER, OLD_NUMBER, TID
from posctl.model.deadline import Deadline
from protocols.chinaums import Credentials, build_notice


@pytest.mark.req("R40")
def test_lakala_shows_accounts_and_takes_no_change(site: Site, tmp_path: Path) -> None:
    """One terminal may have another account than its merchant."""
    issued = add_lakala(site.bench.provider, site.bench.ledger, frozenset({MID}))
    made = site_with(site, tmp_path / "lakala", {}, name="lakala", credentials=issued)
    register(made, MID)
    with site.bench.ledger.locked() as ledger:
        ledger.terminals[TID].account = NEW_NUMBER
    whole = made.run("merchant", "account", MID).ok()
    assert (whole["effective"], whole["pending"]) == ("621234******1265", None)
    one = made.run("merchant", "account", MID, "--tid", TID).ok()
    assert (one["tid"], one["effective"]) == (TID, "621626*********0018")
    refused = made.propose()
    assert (refused.code, refused.error["code"]) == (9, "channel.other")
    other = made.run("merchant", "account", "898110054110009")
    assert other.code == 6


@pytest.mark.req("R40")
def test_chinaums_shows_no_account_and_says_so(site: Site) -> None:
    refused = site.run("merchant", "account", MID)
    assert (refused.code, refused.error["code"]) == (9, "provider.cannot")


@pytest.mark.req("R18")
def test_a_branch_is_found_by_name(site: Site) -> None:
    found = site.run("merchant", "branches", "1000", "工商银行").ok()["branches"]
    assert [b["branch"] for b in found] == [BRANCH]


@pytest.mark.req("R46")
def test_a_push_only_makes_posctl_ask(site: Site, tmp_path: Path) -> None:
    """Pushed too early it changes nothing; a forged one is refused."""
    number = submitted(site)
    (application,) = site.bench.ledger.applications
    site.bench.ledger.applications[application].status = "18"  # it cannot be signed
    credentials = json.loads(site.bench.credentials_file.read_text())
    key = Credentials(credentials["accesser_id"], credentials["key"].encode())
    fields = {
        "service_type": "alter_notify",
        "ums_reg_id": application,
        "apply_status": "03",
    }
    body = tmp_path / "push"
    body.write_bytes(build_notice(fields, key))
    site.run("change", "push", str(body))
    assert state(site, number) != "EFFECTIVE" and site.account() == OLD_NUMBER
    assert site.run("receipt", "show", number).error["code"] == "receipt.none"
    forged = Credentials(credentials["accesser_id"], b"0" * 24)
    body.write_bytes(build_notice(fields, forged))
    assert site.run("change", "push", str(body)).error["code"] == "notice.forged"


@pytest.mark.req("R46")
def test_a_push_of_what_is_decided_brings_the_order_on(
    make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(audit=0.6)
    number = site.approved()
    assert site.commit(number, "--wait", "0").code == 11
    (application,) = site.bench.ledger.applications
    credentials = json.loads(site.bench.credentials_file.read_text())
    key = Credentials(credentials["accesser_id"], credentials["key"].encode())
    fields = {
        "service_type": "alter_notify",
        "ums_reg_id": application,
        "apply_status": "04",  # whatever it claims
    }
    body = tmp_path / "push"
    body.write_bytes(build_notice(fields, key))
    deadline = Deadline(10.0)
    while (done := site.run("change", "push", str(body)).ok())["state"] == "AUDITING":
        assert not deadline.passed
    assert done["state"] == "EFFECTIVE" and "0000" in done["reply"]


@pytest.mark.req("R12")
def test_a_tag_that_the_acquirer_never_made_freezes_the_order(
    site: Site, tmp_path: Path
) -> None:
    """A person must look at it; nobody is told how to unlock anything."""
    credentials = json.loads(site.bench.credentials_file.read_text())
    other = {**credentials, "tag_key": "00" * 32}
    made = site_with(site, tmp_path / "other", {}, credentials=other)
    made.run("merchant", "fetch", MID).ok()
    number = proposed(made)
    refused = made.approve(number)
    assert (refused.code, refused.error["code"]) == (7, "tag.forged")
    shown = made.run("orders", "show", number).ok()
    assert (shown["state"], shown["reason"]) == ("FROZEN", "frozen.security")
    assert made.run("change", "thaw", number).ok()["state"] == "PROPOSED"
    assert made.approve(number).error["code"] == "tag.forged"  # and frozen again
    assert made.run("change", "cancel", number).code == 7
    made.run("change", "thaw", number).ok()
    assert made.run("change", "cancel", number).ok()["state"] == "CANCELLED"
