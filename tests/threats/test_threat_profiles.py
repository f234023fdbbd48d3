"""A profile edited, unsigned, or an older one put back (see also
`test_a_profile_with_one_byte_edited`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attacks import approve, copy, nothing_changes, refused, renew_profile
from orderfiles import forge, part
from procedures import proposed, state
from world import RUN_ANSWERS, Site

from emulator.bench import MID, OLD_NUMBER

LOOSER = ("cooling_hours = 24", "cooling_hours = 0")


@pytest.fixture
def older(site: Site, tmp_path: Path) -> Path:
    """Version 1, signed as it was; version 2 asks for a cooling-off of a day."""
    kept = copy(site.home / "profiles", tmp_path / "older")
    renew_profile(site, LOOSER[::-1])
    return kept


@pytest.mark.req("R5")
def test_an_older_profile_put_back_in_the_field(site: Site, older: Path) -> None:
    declined = [*RUN_ANSWERS[:-1], "no"]
    site.run("change", "run", *site.means(), answers=declined)
    (order,) = site.run("orders", "list").ok()["orders"]
    number = order["order"]
    copy(older, site.home / "profiles")
    with nothing_changes(site):
        resumed = site.run("change", "resume", number, *site.means())
        refused(resumed, "profile.downgraded")
        refused(site.propose(), "profile.downgraded")


@pytest.mark.req("R5")
@pytest.mark.req("R31")
def test_an_older_profile_put_back_at_the_office(site: Site, older: Path) -> None:
    """What was received under the newer names it: nothing goes on under the older."""
    number = proposed(site)
    site.run("orders", "list").ok()
    copy(older, site.home / "profiles")
    with nothing_changes(site):
        refused(approve(site, number), "profile.downgraded")
        refused(site.commit(number), "profile.downgraded")
        refused(site.run("merchant", "fetch", MID), "profile.downgraded")
    assert (site.account(), state(site, number)) == (OLD_NUMBER, "PROPOSED")


@pytest.mark.req("R5")
def test_an_order_does_not_claim_a_newer_profile_for_the_office(
    site: Site, sent: Path
) -> None:
    """What a technician writes into his file stops nobody else's order."""
    forge(site, sent, part("order.opened", profile_version=999))
    number = json.loads(sent.read_text())["body"]["order"]
    refused(approve(site, number, "--order-file", str(sent)), "order.refused")
    site.run("merchant", "fetch", MID).ok()
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R5")
@pytest.mark.parametrize("what", ["toml", "sig"])
def test_half_of_an_older_profile(site: Site, older: Path, what: str) -> None:
    name = f"emulator.{what}"
    body = (older / name).read_bytes()
    (site.home / "profiles" / name).write_bytes(body)
    with nothing_changes(site):
        refused(site.propose(), "profile.signature")


@pytest.mark.req("R5")
def test_an_older_version_is_not_signed_again(site: Site, older: Path) -> None:
    text = (older / "emulator.toml").read_text().partition("[pinned]")[0]
    path = older / "unsigned.toml"
    path.write_text(text)
    refused(site.run("profile", "sign", str(path)), "profile.downgrade")
