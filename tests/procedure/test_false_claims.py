"""What an order, a receipt or a log must never claim (R37, R40, R50)."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from orderfiles import File, forge, part
from procedures import (
    OTHER_MID,
    OTHER_TID,
    Changed,
    company,
    of_merchant,
    office,
    proposed,
    state,
    submitted,
)
from world import RUN_ANSWERS, Site

from emulator.bench import BRANCH, MID, MOBILE, NEW_NUMBER, OLD_NUMBER, TID
from emulator.faults import Fault
from posctl.change.control import freeze, thaw
from posctl.change.erase import erase_order
from posctl.change.order import Order
from posctl.model.clock import moment
from posctl.model.errors import CheckFailed
from posctl.office import commit
from posctl.office.approve import approve
from protocols.bindingtag import BindingTag
from protocols.chinaums import Credentials, build_notice


def restored(site: Site, copy: Path) -> None:
    """The office's store of a back-up."""
    shutil.rmtree(site.home / "office")
    shutil.copytree(copy, site.home / "office")


@pytest.mark.req("R38", "R40")
def test_an_application_that_is_anothers_is_not_taken(site: Site) -> None:
    """The provider answers with the number of the order before, which is effective."""
    first = site.approved()
    site.commit(first).ok()
    site.confirm(first).ok()
    (application,) = site.bench.ledger.applications
    answers = (OLD_NUMBER, OLD_NUMBER, NEW_NUMBER, BRANCH, MOBILE, "CHANGE")
    ran = site.run("change", "run", *site.means(), "--typed", answers=answers)
    second = str(ran.ok()["order"])
    site.run("change", "approve", second, answers=[OLD_NUMBER[-4:]]).ok()
    lie = {"res_code": "0000", "ums_reg_id": application, "mer_no": MID}
    service, body = "complex_alter_acctinfo", json.dumps(lie).encode()
    site.bench.provider.faults.add(Fault(service, "garbage", 1, body=body))
    said = site.commit(second)
    assert (said.code, said.error["code"]) == (8, "effect.unknown")
    assert site.account() == NEW_NUMBER and state(site, second) == "APPROVED"
    site.commit(second).ok()  # asked again: its own number this time
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R37")
def test_freezing_opens_no_way_back(site: Site, tmp_path: Path) -> None:
    """An older store: the provider had the request, and pays the new account."""
    number = site.approved()
    site.run("orders", "list")
    shutil.copytree(site.home / "office", tmp_path / "copy")
    site.commit(number).ok()
    restored(site, tmp_path / "copy")
    found = site.run("change", "commit", number)
    assert found.error["code"] == "commit.older_store"
    at_work = office(site, timedelta())
    commit.act(at_work, number, lambda own: freeze(own, "wang", "frozen.request"))
    with pytest.raises(CheckFailed) as refused:
        commit.roll_back(at_work, number)
    assert refused.value.code == "rollback.too_late"
    assert site.account() == NEW_NUMBER


@pytest.mark.req("R37", "R46")
def test_what_nobody_can_ask_after_is_given_up_and_claims_nothing(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    site.run("orders", "list")
    shutil.copytree(site.home, tmp_path / "copy")
    site.commit(number).ok()
    shutil.rmtree(site.home)
    shutil.copytree(tmp_path / "copy", site.home)
    site.run("change", "commit", number)
    declined = site.run("change", "cancel", number, answers=["yes"])
    assert declined.code == 3
    ended = site.run("change", "cancel", number, answers=["ASKED"]).ok()
    assert (ended["state"], ended["reason"]) == ("CANCELLED", "order.given_up")
    assert ended["effective"] is None and site.account() == NEW_NUMBER
    (told,) = site.run("outbox", "list").ok()["messages"]
    assert told["reason"] == "order.given_up"


@pytest.mark.req("R34", "R37")
def test_an_order_that_was_signed_does_not_expire(site: Site, tmp_path: Path) -> None:
    """And keeps no other from its end."""
    number = submitted(site)
    shutil.copytree(site.home / "office", tmp_path / "copy")
    site.commit(number).ok()
    restored(site, tmp_path / "copy")
    of_merchant(site, number, OTHER_MID, OTHER_TID)
    late = proposed(site)
    site.run("orders", "list").ok()  # the office takes it in
    of_merchant(site, number, MID, TID)
    with pytest.raises(CheckFailed) as refused:
        commit.expire(office(site, timedelta(days=16)))
    assert refused.value.code == "rollback.too_late"
    assert refused.value.params["done"] == late and state(site, late) == "EXPIRED"
    assert site.account() == NEW_NUMBER


@pytest.mark.req("R2", "R48")
def test_a_terminal_that_shows_a_whole_number_is_not_read(site: Site) -> None:
    core = site.bench.terminal.core
    tag = BindingTag(OLD_NUMBER, 1, bytes(8)).to_hex()
    real = core.variables
    core.variables = lambda: real() | {"posctlBindingTag": tag}  # type: ignore[method-assign]
    refused = site.propose()
    assert refused.code == 5 and OLD_NUMBER not in refused.err
    assert OLD_NUMBER.encode() not in (site.home / "field" / "log.db").read_bytes()


@pytest.mark.req("R2", "R48")
@pytest.mark.parametrize(
    ("kind", "values", "code"),
    [
        ("look.done", {"old_mask": OLD_NUMBER}, "order.payload"),
        ("look.done", {"old_version": 2**32 - 1}, "order.payload"),
        (
            "order.proposed",
            {"valid_until": "9999-12-31T00:00:00.000Z"},
            "order.payload",
        ),
        ("order.opened", {"confirm": "nothing"}, "order.payload"),
        ("order.opened", {"confirm": "n/a"}, "order.refused"),
    ],
)
def test_what_a_technician_writes_into_his_order(
    site: Site, sent: Path, kind: str, values: File, code: str
) -> None:
    """``n/a``: nobody would look at the terminal, and the profile wants it."""
    forge(site, sent, part(kind, **values))
    number = json.loads(sent.read_text())["body"]["order"]
    words = ("change", "approve", number, "--order-file", str(sent))
    refused = site.run(*words, answers=[NEW_NUMBER[-4:]])
    assert refused.error["code"] == code
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R46", "R48")
def test_a_technicians_words_are_no_reason(site: Site, sent: Path) -> None:
    """They would reach both contacts, as ours."""
    words = f"call 13800138000, read out {OLD_NUMBER}"
    forge(site, sent, part("order.proposed", reason=words))
    number = json.loads(sent.read_text())["body"]["order"]
    approve = ("change", "approve", number, "--order-file", str(sent))
    site.run(*approve, answers=[NEW_NUMBER[-4:]]).ok()
    site.commit(number).ok()
    (told,) = site.run("outbox", "list").ok()["messages"]
    assert told["reason"] == ""


@pytest.mark.req("R50")
def test_an_order_without_events_is_found(site: Site) -> None:
    number = proposed(site)
    with sqlite3.connect(site.home / "field" / "log.db") as db:
        db.execute(
            "INSERT INTO orders SELECT 'AAAA-BBBBB', projection, mid, tid, state,"
            " application, account_id, effective_at FROM orders WHERE order_id = ?",
            (number,),
        )
    found = site.run("audit", "verify")
    assert (found.code, found.error["code"]) == (7, "log.projection")
    assert found.error["params"]["order"] == "AAAA-BBBBB"


@pytest.mark.req("R50")
def test_erasing_one_order_leaves_the_others_their_back_up(changed: Changed) -> None:
    site = changed({"retention_days = 1825": "retention_days = 1"})
    first = proposed(site)
    site.run("orders", "list")
    site.run("change", "rollback", first).ok()
    second = proposed(site)
    site.run("orders", "list")
    at_work = office(site, timedelta(days=2))
    erase_order([at_work.place], first, "wang")
    site.approve(second).ok()
    assert site.commit(second).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R1")
def test_a_colleague_does_not_go_on_with_an_order(site: Site) -> None:
    """The office would not take it from him, and it would be stuck on its way."""
    site.run("operator", "issue", "chen", "--role", "technician").ok()
    site.run("change", "run", *site.means(), answers=(*RUN_ANSWERS[:-1], "no"))
    number = site.run("orders", "list").ok()["orders"][0]["order"]
    words = ("change", "resume", number, *site.means(), "--operator", "chen")
    refused = site.run(*words, answers=["CHANGE"])
    assert (refused.code, refused.error["code"]) == (7, "order.colleague")
    site.run("change", "rollback", number, "--operator", "chen").ok()


@pytest.mark.req("R47")
def test_a_wrong_amount_is_refused_before_it_is_sent(site: Site) -> None:
    number = company(site)
    site.commit(number, "--wait", "0.5")
    refused = site.run("change", "amount", number, answers=["0.00"])
    assert refused.code == 2
    assert state(site, number) == "WAITING_MERCHANT"
    assert site.run("orders", "show", number).ok()["unsettled_effect"] is None
    site.run("change", "rollback", number).ok()


@pytest.mark.req("R47")
def test_what_is_not_known_yet_names_the_way_on(site: Site) -> None:
    number = site.approved()
    service = "complex_alter_acctinfo"
    site.bench.provider.faults.add(Fault(service, "drop_answer"))
    site.commit(number)
    refused = site.run("change", "cancel", number)
    assert refused.error["code"] == "cancel.unsettled"
    assert refused.error["next"] == f"posctl change resume {number}"


def test_terminals_that_cannot_tell_are_not_one(site: Site) -> None:
    at_work = office(site, timedelta())
    number = proposed(site)
    at_work.place.collect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("posctl.change.place.UNKNOWN_TID", TID)
        assert at_work.place.orders_at("898110054110009", TID) == []
    found = at_work.place.orders_at("898110054110009", TID)
    assert [order.number for order in found] == [number]


@pytest.mark.req("R1", "R35")
def test_a_colleague_at_the_terminal_closes_an_order_for_both(site: Site) -> None:
    site.run("operator", "issue", "chen", "--role", "technician").ok()
    number = site.approved()
    site.commit(number).ok()
    words = ("change", "confirm", number, "--port", site.bench.port)
    site.run(*words, "--operator", "chen", answers=["SETTLE"]).ok()
    closed = office(site, timedelta()).place.journal(number).order
    assert closed.state == "CLOSED"


@pytest.mark.req("R47")
def test_a_certificate_that_is_renewed_while_the_order_is_on_its_way(
    site: Site,
) -> None:
    number = proposed(site)
    site.run("operator", "revoke", "li").ok()
    site.run("operator", "issue", "li", "--role", "technician").ok()
    assert site.approve(number).error["code"] == "order.missing"
    site.run("change", "propose", number, *site.means()).ok()
    site.approve(number).ok()
    site.commit(number).ok()
    assert site.account() == NEW_NUMBER


@pytest.mark.req("R31", "R34")
def test_a_freeze_before_the_cooling_off_does_not_lengthen_it(
    changed: Changed,
) -> None:
    site = changed({"cooling_hours = 0\n": "cooling_hours = 24\n"})
    number = proposed(site)
    at_work = office(site, timedelta())
    commit.act(at_work, number, lambda own: freeze(own, "wang", "frozen.request"))
    at_work = office(site, timedelta(days=2))
    commit.act(at_work, number, lambda own: thaw(own, "wang"))
    cooling = approved_at(site, number, timedelta(days=2))
    assert cooling.cooled is not None
    frozen = moment(cooling.changed) + timedelta(hours=24) - cooling.cooled
    assert abs(frozen) < timedelta(hours=1)  # the event is written a moment later


def approved_at(site: Site, number: str, ahead: timedelta) -> Order:
    """By wang, who reads the digits off the paper."""
    session = office(site, ahead)
    with pytest.MonkeyPatch.context() as patch:
        read = lambda *_asked, **_how: NEW_NUMBER[-4:]  # noqa: E731
        patch.setattr(session.place.person, "_read", read)
        return approve(session, number)


@pytest.mark.req("R46")
def test_a_push_signs_nothing_and_is_always_answered(
    site: Site, tmp_path: Path
) -> None:
    number = submitted(site)
    (application,) = site.bench.ledger.applications
    known = json.loads(site.bench.credentials_file.read_text())
    body = tmp_path / "push"
    told = {"service_type": "alter_notify", "ums_reg_id": application}
    key = Credentials(known["accesser_id"], known["key"].encode())
    body.write_bytes(build_notice({**told, "apply_status": "00"}, key))
    for steps in ((), ("freeze", "--reason", "request"), ("thaw",), ("rollback",)):
        if steps:
            site.run("change", steps[0], number, *steps[1:]).ok()
        answered = site.run("change", "push", str(body)).ok()
        assert "0000" in answered["reply"]
        assert (site.signed(), site.account()) == (0, OLD_NUMBER)
