"""Fees, terms, advice, and one of two channels."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from procedures import (
    Changed,
    office,
    payload,
    proposed,
    state,
)
from world import RUN_ANSWERS, Site

from emulator.bench import NEW_NUMBER, TID
from posctl.change.journal import last_payload
from posctl.office import commit
from posctl.store import profiles


@pytest.mark.req("R9")
def test_fees_are_shown_with_their_parts_and_nothing_goes_on_without_the_word(
    changed: Changed,
) -> None:
    fees = {
        'service = "0.00"': 'service = "2.50"',
        'deposit = "0.00"': 'deposit = "9.00"',
    }
    site = changed(fees)
    refused = site.run(
        "change", "run", *site.means(), answers=(*RUN_ANSWERS[:-1], "yes")
    )
    assert (refused.code, refused.error["code"]) == (3, "propose.declined")
    assert "11.50 yuan (change 0.00, service 2.50, deposit 9.00)" in refused.err
    number = refused.error["params"]["order"]
    assert state(site, number) == "BACKED_UP"
    resumed = site.run("change", "resume", number, *site.means(), answers=["CHANGE"])
    assert resumed.ok()["state"] == "PROPOSED"
    assert payload(site, number, "order.proposed")["fee_accepted"] == "11.50"


@pytest.mark.req("R10")
def test_the_terms_that_were_accepted_are_kept_by_hash_and_time(site: Site) -> None:
    number = proposed(site)
    text = profiles.parse(profiles.example("emulator"), source="-").terms.text
    accepted = payload(site, number, "order.proposed")["terms_sha256"]
    assert accepted == hashlib.sha256(text.encode()).hexdigest()
    events = site.run("orders", "show", number).ok()["events"]
    assert any(e["event"] == "order.proposed" and e["time"] for e in events)


@pytest.mark.req("R17")
def test_advice_is_told_and_kept_and_stops_nobody(changed: Changed) -> None:
    site = changed({"advice = []": 'advice = ["新卡限额须高于日常流水"]'})
    ran = site.propose()
    assert "新卡限额须高于日常流水" in ran.err
    kept = payload(site, str(ran.ok()["order"]), "order.proposed")["advice"]
    assert kept == ["新卡限额须高于日常流水"]


@pytest.mark.req("R42")
def test_one_of_two_channels_changed_is_a_state_not_a_disagreement(site: Site) -> None:
    """The provider pays the new account, the terminal shows the old one still."""
    number = site.approved()
    done = site.commit(number).ok()
    assert (done["state"], done["terminal"]) == ("EFFECTIVE", "pending")
    assert done["effective"] == "621626*********0018"
    (open_task,) = site.run("orders", "list", "--open").ok()["orders"]
    assert (open_task["order"], open_task["terminal"]) == (number, "pending")
    assert site.confirm(number).ok()["terminal"] == "confirmed"
    assert site.run("orders", "list", "--open").ok()["orders"] == []


@pytest.mark.req("R2", "R40")
def test_a_terminal_that_leaves_the_merchant_after_the_signature_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Takings go to the new account all the same, and the record says so."""
    number, real = site.approved(), commit.Commit.read_back

    def left(self: commit.Commit) -> None:
        with site.bench.ledger.locked() as ledger:
            ledger.terminals[TID].mid = "898110054110002"
        real(self)

    monkeypatch.setattr(commit.Commit, "read_back", left)
    session = office(site, timedelta())
    done = commit.commit(session, number, 5.0)
    assert (done.state, site.account()) == ("EFFECTIVE", NEW_NUMBER)
    assert f"does not list terminal {TID}" in capsys.readouterr().err
    found = last_payload(session.place.log, number, "readback.done")
    assert found["terminal_listed"] is False
