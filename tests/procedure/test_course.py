"""The whole course over real wires, and what stays the same when it is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import RUN_ANSWERS, MakeSite, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER, TID, Bench, Scenario
from emulator.card.pcscd import available
from posctl.change.order import fold
from posctl.model.clock import SystemClock
from posctl.store.eventlog import EventLog


def open_log(site: Site, place: str) -> EventLog:
    return EventLog(site.home / place / "log.db", fold, SystemClock())


@pytest.mark.req("R2")
@pytest.mark.req("R34")
@pytest.mark.req("R40")
def test_a_change_from_the_first_look_to_closed(site: Site) -> None:
    proposed = site.propose().ok()
    number = proposed["order"]
    assert (proposed["state"], proposed["holder"]) == ("PROPOSED", "office")
    assert (proposed["mid"], proposed["tid"]) == (MID, TID)
    assert site.account() == OLD_NUMBER

    assert site.approve(number).ok()["state"] == "APPROVED"
    assert site.account() == OLD_NUMBER

    committed = site.commit(number).ok()
    assert (committed["state"], committed["terminal"]) == ("EFFECTIVE", "pending")
    assert site.account() == NEW_NUMBER

    closed = site.confirm(number).ok()
    assert (closed["state"], closed["terminal"]) == ("CLOSED", "confirmed")
    tag = site.bench.terminal.core.binding_tag()
    assert tag is not None and tag.version == 2
    assert tag.mask == "621626*********0018"

    site.run("orders", "list").ok()
    for place in ("field", "office"):
        log = open_log(site, place)
        log.verify()
        assert (log.projection(number) or {})["state"] == "CLOSED"
        log.close()


@pytest.mark.req("R39")
def test_committing_and_confirming_thrice_gives_one_effect(site: Site) -> None:
    number = site.approved()
    first = [site.commit(number).ok() for _time in range(3)]
    assert first[0] == first[1] == first[2]
    closed = [site.confirm(number).ok() for _time in range(3)]
    assert [answer.pop("serial_bytes") > 0 for answer in closed] == [True, False, False]
    assert closed[0] == closed[1] == closed[2]
    assert (site.version(), site.signed()) == (2, 1)
    log = open_log(site, "office")
    assert [key for key, _order, _notice in log.outbox()] == [number]
    log.close()


@pytest.mark.req("R45")
def test_the_receipt_is_signed_and_holds_the_chain(site: Site) -> None:
    number = site.approved()
    site.commit(number).ok()
    shown = site.run("receipt", "show", number).ok()
    assert (shown["old"], shown["new"]) == ("621234******1265", "621626*********0018")
    assert (shown["maker"], shown["approver"]) == ("li", "wang")
    assert shown["signed_by"] == "wang"
    log = open_log(site, "office")
    assert shown["order_head"] in [e.hash for e in log.events(number)]
    log.close()


@pytest.mark.req("R30")
def test_the_maker_cannot_approve(site: Site) -> None:
    number = str(site.propose().ok()["order"])
    refused = site.run("change", "approve", number, "--operator", "li")
    assert refused.error["code"] == "signature.role"
    assert refused.code == 7


@pytest.mark.req("R30")
def test_the_approver_must_know_the_last_digits(site: Site) -> None:
    number = str(site.propose().ok()["order"])
    wrong = site.run("change", "approve", number, answers=["0000"] * 3)
    assert wrong.code == 3
    assert site.run("orders", "show", number).ok()["state"] == "PROPOSED"


@pytest.mark.req("R44")
@pytest.mark.parametrize("word", ["change", "yes", "", "C"])
def test_only_the_typed_word_goes_on(site: Site, word: str) -> None:
    answers = [*RUN_ANSWERS[:-1], word]
    declined = site.run("change", "run", *site.means(), answers=answers)
    assert (declined.code, declined.error["code"]) == (3, "propose.declined")
    (order,) = site.run("orders", "list").ok()["orders"]
    assert order["state"] == "BACKED_UP"
    again = site.run(
        "change", "propose", order["order"], *site.means(), answers=["CHANGE"]
    )
    assert again.ok()["state"] == "PROPOSED"


@pytest.mark.req("R43")
@pytest.mark.req("R44")
def test_at_most_six_questions(site: Site) -> None:
    """With real keys the passphrase is one more."""
    ran = site.spawn("change", "run", *site.means(), answers=RUN_ANSWERS)
    assert ran.code == 0
    questions = [line for line in ran.err.splitlines() if line.startswith("? ")]
    assert len(questions) + 1 <= 6


@pytest.mark.req("R14")
def test_one_open_order_a_terminal(site: Site) -> None:
    number = site.propose().ok()["order"]
    second = site.propose()
    assert (second.code, second.error["code"]) == (7, "order.at_office")
    assert number in second.error["next"]


@pytest.mark.req("R40")
def test_accepted_is_not_effective(make_site: MakeSite) -> None:
    site = make_site(audit=3600.0)
    number = site.approved()
    waiting = site.commit(number, "--wait", "0.2")
    assert (waiting.code, waiting.error["code"]) == (11, "commit.pending")
    assert site.account() == OLD_NUMBER
    assert site.run("orders", "show", number).ok()["state"] == "AUDITING"
    with pytest.raises(AssertionError):
        site.run("receipt", "show", number).ok()


@pytest.mark.req("R37")
def test_rollback_after_the_commit_point_is_refused(make_site: MakeSite) -> None:
    site = make_site(audit=3600.0)
    number = site.approved()
    site.commit(number, "--wait", "0")
    refused = site.run("change", "rollback", number)
    assert (refused.code, refused.error["code"]) == (7, "rollback.too_late")


@pytest.mark.req("R37")
def test_rollback_before_it_leaves_the_old_account(site: Site) -> None:
    number = site.approved()
    ended = site.run("change", "rollback", number).ok()
    assert ended["state"] == "ROLLED_BACK"
    assert (site.account(), site.signed()) == (OLD_NUMBER, 0)
    again = site.propose().ok()
    assert again["order"] != number


@pytest.mark.pcsc
@pytest.mark.req("R18")
@pytest.mark.req("R23")
def test_the_card_is_read_through_a_real_pcscd(tmp_path: Path, in_ci: bool) -> None:
    reason = available()
    if reason and not in_ci:
        pytest.skip(reason)
    with Bench(tmp_path / "b", Scenario(audit=0.05)) as bench:
        assert bench.no_pcscd is None
        site = Site(bench, tmp_path / "home").setup()
        ran = site.spawn("change", "run", *site.means(), answers=RUN_ANSWERS)
        assert ran.ok()["new"] == "621626*************"
        assert ran.ok()["apdus"] > 5
