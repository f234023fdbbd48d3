"""How far the chip is proved decides who may let it pass (R24)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from procedures import proposed, state
from world import RUN_ANSWERS, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from emulator.card.applet import DEBIT_CARD
from emulator.card.hierarchy import Offer, hierarchy
from posctl.store.home import Home

DIGITS = NEW_NUMBER[-4:]
LESSER = {
    "cda": "chain valid, not challenged",
    "sda": "unaltered, copyable",
    "none": "offers nothing",
}


def insert(site: Site, offer: Offer, wrong: str = "") -> None:
    site.bench.slot.insert(hierarchy().personalise(DEBIT_CARD, offer, wrong))


def evidence(site: Site, number: str) -> dict[str, str]:
    """Of the step, as the office has recorded it."""
    from contextlib import closing

    from posctl.change.order import fold
    from posctl.model.clock import SystemClock
    from posctl.store.eventlog import EventLog

    path = Home(site.home).office / "log.db"
    with closing(EventLog(path, fold, SystemClock())) as log:
        (event,) = [e for e in log.events(number) if e.kind == "order.approved"]
    return dict(event.payload["steps"]["chip_proof"])


@pytest.mark.req("R24")
def test_a_genuine_chip_passes_alone(site: Site) -> None:
    number = proposed(site)
    done = site.run("change", "approve", number, answers=[DIGITS])
    assert done.ok()["state"] == "APPROVED"
    assert "chip      genuine" in done.err
    assert evidence(site, number) == {"grade": "genuine"}


@pytest.mark.req("R24")
@pytest.mark.parametrize("offer", LESSER)
def test_a_lesser_chip_is_the_approvers_to_take_upon_himself(
    site: Site, offer: Offer
) -> None:
    insert(site, offer)
    number = proposed(site)
    refused = site.run("change", "approve", number, answers=["no", DIGITS])
    assert refused.error["code"] == "chip.not_accepted"
    assert state(site, number) == "PROPOSED"
    done = site.run("change", "approve", number, answers=["CHIP", DIGITS])
    assert done.ok()["state"] == "APPROVED"
    accepted = {"grade": LESSER[offer], "accepted_by": "wang"}
    assert evidence(site, number) == accepted


@pytest.mark.req("R24")
@pytest.mark.parametrize("wrong", ["forged", "altered", "replayed", "chip expired"])
def test_a_chip_that_fails_is_no_account(site: Site, wrong: str) -> None:
    insert(site, "dda", wrong)
    ran = site.run("change", "run", *site.means(), answers=RUN_ANSWERS)
    assert ran.error["code"] == "card.proof_failed"
    (order,) = site.run("orders", "list").ok()["orders"]
    assert order["new"] == "" and order["state"] == "BACKED_UP"


@pytest.mark.req("R24", "R39")
@pytest.mark.parametrize("answered", [12, 15, 16, 17, 18])
def test_a_card_pulled_out_while_it_proves_itself(site: Site, answered: int) -> None:
    """From its last record to the answer to the challenge. Nothing has moved, neither
    at the provider nor in the terminal; the next run reads it anew and goes on."""
    good = hierarchy().personalise(DEBIT_CARD)
    site.bench.slot.insert(replace(good, fault="gone", fault_after=answered))
    ran = site.run("change", "run", *site.means(), answers=RUN_ANSWERS)
    assert ran.error["code"] == "card.removed"
    number = ran.error["params"]["resume"]

    binding = ("binding", "show", "--port", site.bench.port)
    assert (site.account(), site.version()) == (OLD_NUMBER, 1)
    assert site.run(*binding).ok()["account"] == "621234******1265"
    shown = site.run("orders", "show", number).ok()
    assert (shown["state"], shown["new"]) == ("BACKED_UP", "")

    site.bench.slot.insert(good)
    words = ("change", "resume", number, *site.means())
    assert site.run(*words, answers=RUN_ANSWERS).ok()["state"] == "PROPOSED"
    site.approve(number).ok()
    site.commit(number).ok()
    site.confirm(number).ok()
    assert (site.account(), site.version()) == (NEW_NUMBER, 2)
    assert site.run(*binding).ok()["account"] == "621626*********0018"


@pytest.mark.req("R24")
def test_a_checker_elsewhere_sees_the_grade(site: Site, tmp_path: Path) -> None:
    insert(site, "sda")
    number = proposed(site)
    asked = site.run("approval", "request", number, answers=["CHIP"]).ok()["text"]
    (tmp_path / "request").write_text(asked)
    signed = site.run("approval", "sign", str(tmp_path / "request"), answers=[DIGITS])
    assert "chip         unaltered, but could be a copy" in signed.err


# -- whose keys count ------------------------------------------------------------------


@pytest.mark.req("R24")
def test_test_keys_count_in_a_test_set_up_only(site: Site, tmp_path: Path) -> None:
    bench = site.bench
    ran = site.run(
        *("setup", "--technician", "li", "--approver", "wang"),
        *("--profile", "emulator", "--provider-url", bench.url),
        *("--provider-ca", str(bench.ca_file)),
        *("--credentials", str(bench.credentials_file)),
        *("--ca-keys", str(bench.ca_keys_file), "--home", str(tmp_path / "other")),
    )
    assert ran.error["code"] == "cakeys.test"
    assert not (tmp_path / "other").exists()


@pytest.mark.req("R24")
def test_another_file_of_keys_than_the_set_ups_is_noticed(site: Site) -> None:
    path = Home(site.home).ca_keys
    path.write_text(path.read_text() + "# and more\n")
    ran = site.run("change", "run", *site.means(), answers=RUN_ANSWERS)
    assert ran.error["code"] == "cakeys.changed"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("exponent = 3", "exponent = 5", "exponent"),
        ('index = "F1"', 'index = "F2"', "check value"),
        ("[[key]]", "[[keys]]", "keys"),
        ('rid = "A000000333"', 'rid = "A0000003"', "rid"),
        ("[[key]]", "key = ", ""),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(
    site: Site, tmp_path: Path, old: str, new: str, reason: str
) -> None:
    text = site.bench.ca_keys_file.read_text()
    assert old in text
    file = tmp_path / "keys.toml"
    file.write_text(text.replace(old, new, 1))
    bench = site.bench
    ran = site.run(
        *("setup", "--test", "--technician", "li", "--approver", "wang"),
        *("--profile", "emulator", "--provider-url", bench.url),
        *("--provider-ca", str(bench.ca_file)),
        *("--credentials", str(bench.credentials_file)),
        *("--ca-keys", str(file), "--home", str(tmp_path / "other")),
    )
    assert ran.error["code"] == "cakeys.invalid"
    assert reason in json.dumps(ran.error)


# -- for whoever wants to know ------------------------------------------------------


@pytest.mark.req("R24")
def test_the_chain_is_told_link_by_link(site: Site) -> None:
    reader = ("--reader", site.bench.reader)
    shown = site.run("card", "verify", *reader).ok()
    assert shown["chip_grade"] == "genuine"
    links = ["ca_key", "issuer_certificate", "card_certificate", "challenge"]
    assert [link["link"] for link in shown["links"]] == links
    assert all(link["holds"] for link in shown["links"])
    assert site.run("card", "show", *reader).ok()["chip_grade"] == "genuine"


@pytest.mark.req("R24")
def test_the_link_that_does_not_hold_is_told(site: Site) -> None:
    insert(site, "dda", "altered")
    ran = site.run("card", "verify", "--reader", site.bench.reader)
    assert ran.error["code"] == "card.proof_failed"
    assert ran.error["params"]["link"] == "card_certificate"
    assert "chip's certificate: does not hold: wrong hash" in ran.err
    assert "issuer's certificate: holds" in ran.err
    assert NEW_NUMBER not in ran.err


@pytest.mark.req("R24")
def test_keys_are_listed_with_origin_and_check_value(site: Site) -> None:
    test, *unionpay = site.run("card", "keys").ok()["keys"]
    assert test["test"] and test["index"] == "F1"
    published = {
        "02": "03BB335A8549A03B87AB089D006F60852E4B8060",
        "03": "87F0CD7C0E86F38F89A66F8C47071A8B88586F26",
        "04": "F527081CF371DD7E1FD4FA414A665036E0F5E6E5",
    }
    assert {key["index"]: key["check_value"] for key in unionpay} == published
    assert not any(key["test"] for key in unionpay)
