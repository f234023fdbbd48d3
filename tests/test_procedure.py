"""The procedure around the course: who may, when, what stops it, what it leaves."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from procedures import register, site_with
from test_field_office import office
from test_handover import root_of
from world import RUN_ANSWERS, MakeSite, Ran, Site

from emulator.acquirer.ledger import AccountKind, BankAccount
from emulator.acquirer.partners import add_lakala
from emulator.bench import BRANCH, MID, MOBILE, NEW_NUMBER, OLD_NUMBER, TID
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, ClosedNow
from posctl.office import commit
from posctl.store import profiles
from posctl.store.home import Home
from protocols.chinaums import Credentials, build_notice

CORPORATE = "31001234567890123456"
STEPS = '    "identity", "old_account", "office_caps",\n'
NAMED = '    "identity", "old_account", "office_caps", "same_name",\n'

Changed = Callable[..., Site]


@pytest.fixture
def changed(site: Site, tmp_path: Path) -> Changed:
    """A set-up under a changed emulator profile, the merchant registered."""

    def make(changes: dict[str, str], *more: str, owner: str = "全渠道") -> Site:
        made = site_with(site, tmp_path / "changed", changes)
        register(made, MID, *more, owner=owner)
        return made

    return make


def state(site: Site, number: str) -> str:
    return str(site.run("orders", "show", number).ok()["state"])


def proposed(site: Site) -> str:
    return str(site.propose().ok()["order"])


# -- withdrawing, freezing, cooling off --------------------------------------------


@pytest.mark.req("R35")
def test_cancel_before_the_provider_has_heard_of_it(site: Site) -> None:
    number = proposed(site)
    for _again in range(2):
        done = site.run("change", "cancel", number).ok()
        assert (done["state"], done["reason"]) == ("CANCELLED", "order.withdrawn")
    assert site.account() == OLD_NUMBER
    assert site.propose().ok()["order"] != number  # nothing blocks the next


@pytest.mark.req("R35")
def test_cancel_leaves_no_file_of_the_order_in_the_field(site: Site) -> None:
    said_no = (*RUN_ANSWERS[:-1], "NO")
    failed = site.run("change", "run", *site.means(), answers=said_no)
    number = failed.error["params"]["order"]
    means = site.home / "field" / "means" / f"{number}.json"
    assert means.exists()
    site.run("change", "cancel", number).ok()
    assert not means.exists()


@pytest.mark.req("R35")
def test_cancel_at_the_provider_is_a_rollback(site: Site) -> None:
    number = _submitted(site)
    refused = site.run("change", "cancel", number)
    assert (refused.code, refused.error["code"]) == (7, "cancel.too_late")
    assert site.run("change", "rollback", number).ok()["state"] == "ROLLED_BACK"


def _submitted(site: Site) -> str:
    """An order whose application is not signed yet."""
    number = site.approved()
    real = commit.Commit.sign
    try:
        commit.Commit.sign = _interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            commit.commit(office(site, timedelta()), number, 1.0)
    finally:
        commit.Commit.sign = real  # type: ignore[method-assign]
    return number


def _interrupted(self: commit.Commit) -> None:
    raise KeyboardInterrupt


@pytest.mark.req("R34")
@pytest.mark.req("R35")
def test_a_frozen_order_does_nothing_and_its_clock_stands_still(site: Site) -> None:
    number = site.approved()
    until = site.run("orders", "show", number).ok()["valid_until"]
    frozen = site.run("change", "freeze", number, "--reason", "dispute").ok()
    assert (frozen["state"], frozen["next"]) == (
        "FROZEN",
        f"posctl change thaw {number}",
    )
    stopped = site.commit(number)
    assert (stopped.code, stopped.error["code"]) == (10, "order.frozen")
    assert site.run("orders", "due", "--days", "30").ok()["due"] == []
    assert site.signed() == 0
    thawed = site.run("change", "thaw", number).ok()
    assert thawed["state"] == "APPROVED" and thawed["valid_until"] > until
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R35")
def test_thawing_is_the_offices(site: Site) -> None:
    said_no = (*RUN_ANSWERS[:-1], "NO")
    failed = site.run("change", "run", *site.means(), answers=said_no)
    number = failed.error["params"]["order"]
    site.run("change", "freeze", number, "--reason", "security").ok()
    refused = site.run("change", "thaw", number)
    assert refused.error["code"] == "thaw.at_field"
    resumed = site.run("change", "resume", number, *site.means(), answers=["CHANGE"])
    assert resumed.code != 0 and state(site, number) == "FROZEN"
    assert site.run("change", "cancel", number).error["code"] == "cancel.too_late"
    assert site.run("change", "rollback", number).ok()["state"] == "ROLLED_BACK"


@pytest.mark.req("R31")
def test_a_cooling_off_is_waited_for(changed: Changed) -> None:
    site = changed({"cooling_hours = 0": "cooling_hours = 24"})
    number = proposed(site)
    assert site.approve(number).ok()["state"] == "COOLING"
    early = site.commit(number)
    assert (early.code, early.error["code"]) == (10, "order.cooling")
    assert site.account() == OLD_NUMBER
    with pytest.raises(ClosedNow):
        commit.commit(office(site, timedelta(hours=23, minutes=59)), number, 5.0)
    done = commit.commit(office(site, timedelta(hours=24, minutes=1)), number, 5.0)
    assert (done.state, site.account()) == ("EFFECTIVE", NEW_NUMBER)


@pytest.mark.req("R31")
def test_the_merchant_may_object_while_it_cools(changed: Changed) -> None:
    site = changed({"cooling_hours = 0": "cooling_hours = 24"})
    number = proposed(site)
    site.approve(number).ok()
    assert site.run("change", "cancel", number).ok()["state"] == "CANCELLED"
    with pytest.raises(CheckFailed):
        commit.commit(office(site, timedelta(hours=30)), number, 5.0)
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R31")
def test_an_approval_whose_run_died_before_the_cooling_began_cools_all_the_same(
    changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = changed({"cooling_hours = 0": "cooling_hours = 24"})
    number = proposed(site)

    def died(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("posctl.office.approve.cool", died)
    assert site.approve(number).code == 130
    monkeypatch.undo()
    assert state(site, number) == "APPROVED"
    assert site.commit(number).error["code"] == "order.cooling"
    assert site.signed() == 0


# -- time --------------------------------------------------------------------------


@pytest.mark.req("R34")
def test_what_is_due_is_listed_and_written_as_a_calendar(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    assert site.run("orders", "due").ok()["due"] == []
    ics = tmp_path / "due.ics"
    due = site.run("orders", "due", "--days", "15", "--ics", str(ics)).ok()
    assert [(d["order"], d["state"]) for d in due["due"]] == [(number, "APPROVED")]
    text = ics.read_bytes().decode()
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert f"UID:{number}@posctl\r\n" in text and "TRIGGER:-P3D\r\n" in text
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75


@pytest.mark.req("R34")
def test_an_order_expires_on_its_day_and_frees_the_merchant(site: Site) -> None:
    number = site.approved()
    assert commit.expire(office(site, timedelta(days=14, hours=23))) == []
    ended = commit.expire(office(site, timedelta(days=15, hours=1)))
    assert [(o.number, o.state) for o in ended] == [(number, "EXPIRED")]
    assert site.commit(number).error["code"] == "order.over"
    assert site.propose().ok()["order"] != number


@pytest.mark.req("R34")
def test_an_order_behind_its_commit_point_does_not_expire(site: Site) -> None:
    site.bench.provider.faults.add(_lost_signature())
    number = site.approved()
    assert site.commit(number).code == 8
    assert commit.expire(office(site, timedelta(days=40))) == []


def _lost_signature() -> object:
    from emulator.faults import Fault

    return Fault("alter_sign", "drop_answer")


@pytest.mark.req("R8")
def test_a_notice_that_stops_changes(changed: Changed) -> None:
    notice = """[[notices]]
id = "upgrade"
begins = 2026-01-01T00:00:00
ends = 2099-01-01T00:00:00
text = "系统升级 / system upgrade"
stops = true

[caps]"""
    site = changed({"[caps]": notice})
    ran = site.propose()
    assert (ran.code, ran.error["code"]) == (10, "notice.stops")
    assert "系统升级" in ran.err
    assert site.run("orders", "list").ok()["orders"] == []
    told = site.run("change", "notices").ok()["notices"]
    assert [n["notice"] for n in told] == ["upgrade"]


@pytest.mark.req("R8")
def test_plan_and_checklist_need_no_set_up(site: Site, tmp_path: Path) -> None:
    from dataclasses import replace

    nobody = replace(site, home=tmp_path / "nothing")
    plan = nobody.run("change", "plan", "--profile", "chinaums").ok()
    assert plan["closed"] == ["02:00-04:00"] and plan["time_zone"] == "Asia/Shanghai"
    assert plan["next_slot"] >= datetime.now(UTC).isoformat()[:10]
    listed = nobody.run("change", "checklist", "--profile", "wechatpay").ok()
    assert "terminal" in listed["not_used"] and listed["documents"] == []
    card = nobody.run("change", "checklist", "--profile", "chinaums").ok()
    assert [d["kind"] for d in card["documents"]] == ["0025", "0026"]
    company = ("change", "checklist", "--profile", "chinaums", "--corporate")
    assert nobody.run(*company).ok()["documents"] == []


# -- who may -----------------------------------------------------------------------


@pytest.mark.req("R6")
def test_a_provider_without_this_channel_is_named_with_the_right_one(
    changed: Changed,
) -> None:
    site = changed({'channels = ["device"]': 'channels = ["counter"]'})
    ran = site.propose()
    assert (ran.code, ran.error["code"]) == (9, "channel.other")
    assert ran.error["params"]["channels"] == "counter"
    assert site.run("orders", "list").ok()["orders"] == []


@pytest.mark.req("R6")
def test_a_hand_off_ends_the_order_first(site: Site) -> None:
    number = proposed(site)
    form = site.run("change", "handoff", number).ok()
    assert (form["state"], state(site, number)) == ("ROLLED_BACK", "ROLLED_BACK")
    assert [d["kind"] for d in form["documents"]] == ["0025", "0026"]
    assert form["channels"] == ["counter"]


BEFORE = '    "documents", "caps",\n'


@pytest.mark.req("R13")
@pytest.mark.parametrize(
    ("subject", "corporate", "code"),
    [
        ("micro", True, "eligibility.micro"),
        ("enterprise", False, "eligibility.enterprise"),
        ("government", False, "eligibility.government"),
        ("other", False, "eligibility.other"),
    ],
)
def test_who_may_have_which_account(
    changed: Changed, subject: str, corporate: bool, code: str
) -> None:
    site = changed(
        {BEFORE: '    "eligibility", "documents", "caps",\n'}, "--subject", subject
    )
    account = ("--corporate",) if corporate else ()
    ran = site.run("change", "run", *site.means(), *account, answers=RUN_ANSWERS)
    assert (ran.code, ran.error["code"]) == (7, code)
    (order,) = site.run("orders", "list").ok()["orders"]
    events = site.run("orders", "show", order["order"]).ok()["events"]
    assert events[-1]["event"] == "step.failed"


@pytest.mark.req("R15")
def test_who_acts_for_the_merchant_needs_a_mandate(changed: Changed) -> None:
    steps = {BEFORE: '    "mandate", "documents", "caps",\n'}
    mandates = ("--mandate", "zhang:2099-12-31", "--mandate", "old zhao:2020-01-01")
    site = changed(steps, *mandates)

    def code(*agent: str) -> str:
        words = ("change", "run", *site.means(), *agent)
        ran = site.run(*words, answers=RUN_ANSWERS)
        number = site.run("orders", "list").ok()["orders"][-1]["order"]
        site.run("change", "cancel", number)
        return str(ran.error["code"]) if ran.code else "done"

    assert code("--agent", "somebody") == "mandate.missing"
    assert code("--agent", "old zhao") == "mandate.ended"
    assert code("--agent", "zhang") == "done"
    assert code() == "done"


@pytest.mark.req("R14")
def test_open_orders_of_a_technician_at_the_cap_and_over_it(changed: Changed) -> None:
    """At N it is taken; at one more it is refused before anything is asked."""
    site = changed({"open_per_technician = 10": "open_per_technician = 1"})
    number = proposed(site)
    _of_another_merchant(site, number)
    refused = site.propose()
    assert (refused.code, refused.error["code"]) == (7, "caps.technician")


def _of_another_merchant(site: Site, number: str) -> None:
    """So that it does not block this one by itself."""
    for place in ("field", "office"):
        with sqlite3.connect(site.home / place / "log.db") as db:
            sql = "SELECT projection FROM orders WHERE order_id = ?"
            found = db.execute(sql, (number,)).fetchone()
            if found is None:  # the office has not taken it yet
                continue
            other = {"mid": "898110054110002", "tid": "11000002"}
            db.execute(
                "UPDATE orders SET projection = ?, mid = ?, tid = ? WHERE order_id = ?",
                (json.dumps(json.loads(found[0]) | other), *other.values(), number),
            )


@pytest.mark.req("R14")
@pytest.mark.parametrize(("limit", "taken"), [(2, True), (1, False)])
def test_merchants_that_an_account_settles_at_the_cap_and_over_it(
    changed: Changed, limit: int, taken: bool
) -> None:
    """Counted over all technicians, at the office, on the state after the change."""
    site = changed({"merchants_per_account = 5": f"merchants_per_account = {limit}"})
    _another_merchant_with(site, NEW_NUMBER)
    number = proposed(site)
    approved = site.approve(number)
    if taken:
        assert approved.ok()["state"] == "APPROVED"
    else:
        assert (approved.code, approved.error["code"]) == (7, "office.cap_account")
        assert state(site, number) == "PROPOSED"


def _another_merchant_with(site: Site, number: str) -> None:
    """An order of another merchant that gave it this account, in the office's log."""
    from posctl.office.account import account_id
    from protocols.sensitive import AccountNumber

    session = office(site, timedelta())
    first = proposed(site)
    site.approve(first).ok()
    own = account_id(session, AccountNumber(number))
    place = session.place
    projection = place.log.projection(first)
    assert projection is not None and projection["account_id"] == own
    other = {"mid": "898110054110002", "tid": "11000002", "state": "CLOSED"}
    place.log._db.execute(
        "UPDATE orders SET projection = ?, mid = ?, tid = ?, state = ?"
        " WHERE order_id = ?",
        (json.dumps(projection | other), *other.values(), first),
    )
    field = Home(site.home).field / "log.db"
    with sqlite3.connect(field) as db:
        db.execute("DELETE FROM orders WHERE order_id = ?", (first,))


@pytest.mark.req("R14")
def test_two_changes_of_a_merchant_in_too_few_days(changed: Changed) -> None:
    site = changed({"days_between_changes = 0": "days_between_changes = 7"})
    number = site.approved()
    site.commit(number).ok()
    site.confirm(number).ok()
    again = site.propose()
    assert (again.code, again.error["code"]) == (7, "caps.recent")


@pytest.mark.req("R15")
def test_a_phone_change_and_a_card_change_keep_their_distance(
    changed: Changed,
) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    rule = {"days_after_phone_change = 0": "days_after_phone_change = 3"}
    site = changed(rule, "--phone-changed", today)
    refused = site.approve(proposed(site))
    assert (refused.code, refused.error["code"]) == (7, "office.cap_phone")


@pytest.mark.req("R26")
def test_the_accounts_name_is_the_merchants(changed: Changed) -> None:
    site = changed({STEPS: NAMED})
    number = proposed(site)
    site.approve(number).ok()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R26")
@pytest.mark.req("R31")
def test_another_name_is_the_approvers_burden_and_cools_off(changed: Changed) -> None:
    cooling = "cooling_hours_other_holder = 0"
    site = changed({STEPS: NAMED, cooling: cooling.replace("0", "72")}, owner="王五")
    number = proposed(site)
    last_four = NEW_NUMBER[-4:]
    refused = site.run("change", "approve", number, answers=["no", last_four])
    assert (refused.code, refused.error["code"]) == (7, "name.not_accepted")
    taken = site.run("change", "approve", number, answers=["NAME", last_four])
    assert taken.ok()["state"] == "COOLING"
    with pytest.raises(ClosedNow):
        commit.commit(office(site, timedelta(hours=71)), number, 5.0)
    done = commit.commit(office(site, timedelta(hours=73)), number, 5.0)
    assert done.name_grade == "DIFFERENT"


# -- a company's account, and what only the merchant can do ------------------------


def _company(site: Site) -> str:
    with site.bench.ledger.locked() as ledger:
        company = BankAccount(CORPORATE, "小面馆", AccountKind.CORPORATE)
        ledger.accounts[CORPORATE] = company
    answers = (CORPORATE, CORPORATE, OLD_NUMBER, BRANCH, MOBILE, "CHANGE")
    ran = site.run("change", "run", *site.means(), "--corporate", answers=answers)
    number = str(ran.ok()["order"])
    site.run("change", "approve", number, answers=[CORPORATE[-4:]]).ok()
    return number


@pytest.mark.req("R18")
@pytest.mark.req("R29")
def test_a_companys_account_is_proved_by_the_penny_drop(site: Site) -> None:
    number = _company(site)
    waiting = site.commit(number)
    assert (waiting.code, waiting.error["code"]) == (11, "commit.amount")
    assert state(site, number) == "WAITING_MERCHANT"
    (application,) = site.bench.ledger.applications
    fen = site.bench.provider.account_change.penny_drop(application)
    wrong = site.run("change", "amount", number, answers=["9.99"])
    assert (wrong.code, wrong.error["code"]) == (6, "provider.penny_wrong")
    assert site.account() == OLD_NUMBER
    right = f"{fen // 100}.{fen % 100:02}"
    done = site.run("change", "amount", number, answers=[right]).ok()
    assert (done["state"], site.account()) == ("EFFECTIVE", CORPORATE)


@pytest.mark.req("R41")
def test_a_word_that_says_nothing_is_no_verified_account(site: Site) -> None:
    """Status 99 while the amount is waited for: nothing is signed."""
    number = _company(site)
    site.commit(number)
    with site.bench.ledger.locked() as ledger:
        (application,) = ledger.applications.values()
        application.status = "99"
    waiting = site.commit(number)
    assert (waiting.code, waiting.error["code"]) == (11, "commit.pending")
    assert state(site, number) == "WAITING_MERCHANT"
    assert (site.signed(), site.account()) == (0, OLD_NUMBER)


@pytest.mark.req("R29")
def test_the_fifth_wrong_amount_ends_it(site: Site) -> None:
    number = _company(site)
    site.commit(number)
    for _try in range(5):
        site.run("change", "amount", number, answers=["9.99"])
    ended = site.run("change", "resume", number)
    assert (ended.code, ended.error["code"]) == (6, "provider.rejected")
    assert (state(site, number), site.account()) == ("REJECTED", OLD_NUMBER)


@pytest.mark.req("R29")
@pytest.mark.req("R37")
def test_a_penny_drop_can_be_rolled_back(site: Site) -> None:
    number = _company(site)
    site.commit(number)
    assert site.run("change", "rollback", number).ok()["state"] == "ROLLED_BACK"
    refused = site.run("change", "amount", number, answers=["0.10"])
    assert refused.code == 7 and site.account() == OLD_NUMBER


@pytest.mark.req("R30")
@pytest.mark.req("R37")
def test_a_merchant_who_signs_himself_gets_a_link_and_no_way_back(
    changed: Changed,
) -> None:
    """From the moment that he has the link, he may sign: nothing calls it back."""
    site = changed({'checkers = ["office"]': 'checkers = ["merchant"]'})
    number = site.approved()
    asked = site.commit(number)
    assert (asked.code, asked.error["code"]) == (11, "commit.link")
    assert asked.error["params"]["link"].startswith(site.bench.url)
    assert site.signed() == 0
    late = site.run("change", "rollback", number)
    assert late.error["code"] == "rollback.too_late"
    again = site.commit(number)
    assert again.error["code"] == "commit.link" and site.signed() == 0
    _sign_in_the_browser(site, asked)
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


def _sign_in_the_browser(site: Site, asked: Ran) -> None:
    service = site.bench.provider.account_change
    (application,) = site.bench.ledger.applications
    target = str(asked.error["params"]["link"]).removeprefix(site.bench.url)
    service.sign_page(target)  # sends the code to his telephone
    code = service.signing_code(application)
    status, _page = service.sign_page(f"{target}&sms_code={code}")
    assert status == 200


# -- profiles, erasing, the audit --------------------------------------------------


@pytest.mark.req("R5")
def test_a_newer_profile_is_signed_and_an_older_one_is_not(
    site: Site, tmp_path: Path
) -> None:
    text = profiles.example("emulator")
    newer = tmp_path / "emulator.toml"
    newer.write_text(text, "utf-8")
    refused = site.run("profile", "sign", str(newer))
    assert refused.error["code"] == "profile.downgrade"
    newer.write_text(text.replace("version = 1", "version = 2"), "utf-8")
    assert site.run("profile", "sign", str(newer)).ok()["version"] == 2
    assert site.run("profile", "show").ok()["version"] == 2
    file = site.home / "profiles" / "emulator.toml"
    assert site.run("profile", "verify", str(file)).ok()["verified"]
    file.write_text(file.read_text("utf-8") + "\n", "utf-8")
    bad = site.run("profile", "verify", str(file))
    assert (bad.code, bad.error["code"]) == (7, "profile.signature")


@pytest.mark.req("R5")
def test_a_profile_is_signed_only_where_the_roots_key_is(
    site: Site, tmp_path: Path
) -> None:
    newer = tmp_path / "emulator.toml"
    text = profiles.example("emulator").replace("version = 1", "version = 2")
    newer.write_text(text, "utf-8")
    (site.home / "root.key").unlink()
    refused = site.run("profile", "sign", str(newer))
    assert (refused.code, refused.error["code"]) == (2, "root.absent")


@pytest.mark.req("R5")
def test_an_old_profile_and_one_without_a_licence_warn(
    site: Site, tmp_path: Path
) -> None:
    text = profiles.example("emulator")
    text = text.replace("date = 2026-11-25", "date = 2020-01-01")
    text = text.replace('licence = "none: an emulated provider"', 'licence = ""')
    old = tmp_path / "old.toml"
    old.write_text(text, "utf-8")
    told = site.run("profile", "show", str(old)).err
    assert "2020-01-01" in told and "no licence" in told


@pytest.mark.req("R50")
def test_numbers_are_erased_after_retention_and_the_chain_holds(
    changed: Changed,
) -> None:
    site = changed({"retention_days = 1825": "retention_days = 0"})
    number = site.approved()
    site.commit(number).ok()
    assert (
        site.run("orders", "erase", number, answers=["ERASE"]).error["code"]
        == "erase.open"
    )
    site.confirm(number).ok()
    gone = site.run("orders", "erase", number, answers=["ERASE"]).ok()["erased"]
    assert len(gone) == 2
    site.run("audit", "verify").ok()
    for place in ("field", "office"):
        for file in (site.home / place).glob("log.db*"):
            assert not any(bytes.fromhex(h) in file.read_bytes() for h in gone)
    assert site.run("receipt", "show", number).ok()["result"] == "EFFECTIVE"


@pytest.mark.req("R50")
def test_nothing_is_erased_before_its_time(site: Site) -> None:
    number = proposed(site)
    site.run("change", "cancel", number).ok()
    early = site.run("orders", "erase", number, answers=["ERASE"])
    assert (early.code, early.error["code"]) == (7, "erase.early")


@pytest.mark.req("R50")
def test_a_log_cut_off_is_found_by_the_receipts_head(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    site.commit(number).ok()
    receipt = tmp_path / "receipt.json"
    site.run("receipt", "show", number, "--output", str(receipt)).ok()
    site.run("audit", "verify", "--against", str(receipt)).ok()
    with sqlite3.connect(site.home / "office" / "log.db") as db:
        (last,) = db.execute("SELECT MAX(sequence) FROM events").fetchone()
        db.execute("DELETE FROM events WHERE sequence > ?", (last - 8,))
        db.execute("DELETE FROM orders")
    with sqlite3.connect(site.home / "field" / "log.db") as db:
        db.execute("DELETE FROM events WHERE order_id = ? AND position > 9", (number,))
        db.execute("DELETE FROM orders")
    found = site.run("audit", "verify", "--against", str(receipt))
    assert found.code == 7
    assert found.error["code"] in ("audit.head", "log.projection", "log.broken")


@pytest.mark.req("R46")
def test_notices_are_delivered_once_marked_and_again_when_it_failed(
    site: Site, tmp_path: Path
) -> None:
    number = site.approved()
    site.commit(number).ok()
    failed = site.run("outbox", "deliver", "--command", "false")
    assert (failed.code, failed.error["code"]) == (5, "outbox.failed")
    (waiting,) = site.run("outbox", "list").ok()["messages"]
    assert (waiting["key"], waiting["result"]) == (number, "EFFECTIVE")
    file = tmp_path / "notices"
    done = site.run("outbox", "deliver", "--to-file", str(file)).ok()
    assert done["delivered"] == [number]
    assert json.loads(file.read_text())["key"] == number
    again = site.run("outbox", "deliver", "--to-file", str(file)).ok()
    assert again["delivered"] == [] and len(file.read_text().splitlines()) == 1


# -- the second person is elsewhere ------------------------------------------------


@pytest.fixture
def elsewhere(site: Site, tmp_path: Path) -> Callable[..., Path]:
    """A file with what came through a messenger, quoted and broken as they do."""

    def save(name: str, text: str) -> Path:
        path = tmp_path / name
        quoted = "\n".join(f"{line}  " for line in text.splitlines())
        path.write_text(f"from: office\n\n{quoted}\n-- sent from a telephone\n")
        return path

    return save


@pytest.mark.req("R30")
def test_request_and_answer_travel_as_400_characters(
    site: Site, elsewhere: Callable[..., Path]
) -> None:
    number = proposed(site)
    request = site.run("approval", "request", number).ok()["text"]
    assert len(request) <= 400
    file = elsewhere("request", request)
    signed = site.run("approval", "sign", str(file), answers=[NEW_NUMBER[-4:]])
    assert "621626*********" in signed.err and NEW_NUMBER[-4:] not in signed.err
    answer = signed.ok()["text"]
    assert len(answer) <= 400
    taken = site.run("approval", "take", number, str(elsewhere("answer", answer)))
    assert taken.ok()["state"] == "APPROVED"
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R30")
def test_an_answer_to_another_order_or_spoilt_is_refused(
    site: Site, elsewhere: Callable[..., Path]
) -> None:
    number = proposed(site)
    request = site.run("approval", "request", number).ok()["text"]
    file = elsewhere("request", request)
    digits = [NEW_NUMBER[-4:]]
    answer = site.run("approval", "sign", str(file), answers=digits).ok()["text"]
    site.run("change", "cancel", number).ok()
    other = proposed(site)
    site.run("approval", "request", other).ok()

    def code(text: str) -> str:
        path = elsewhere("answer", text)
        return str(site.run("approval", "take", other, str(path)).error["code"])

    assert code(answer) == "approval.other"
    at = answer.index("\n") + 20
    spoilt = answer[:at] + ("A" if answer[at] != "A" else "B") + answer[at + 1 :]
    assert code(spoilt) == "armour.unreadable"
    assert code(request) == "armour.unreadable"
    assert state(site, other) == "PROPOSED"


@pytest.mark.req("R30")
def test_a_technician_signs_no_approval(
    site: Site, elsewhere: Callable[..., Path]
) -> None:
    number = proposed(site)
    request = site.run("approval", "request", number).ok()["text"]
    file = elsewhere("request", request)
    refused = site.run(
        "approval", "sign", "--operator", "li", str(file), answers=[NEW_NUMBER[-4:]]
    )
    assert refused.error["code"] == "signature.role"


def test_the_root_is_where_tests_think(site: Site) -> None:
    assert root_of(Home(site.home)).role == "root"


# -- what the provider shows, and what it pushes -----------------------------------


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
    number = _submitted(site)
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


# -- fees, terms, advice, and one of two channels ------------------------------------


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
    assert "11.50 = service 2.50 + deposit 9.00" in refused.err
    number = refused.error["params"]["order"]
    assert state(site, number) == "BACKED_UP"
    resumed = site.run("change", "resume", number, *site.means(), answers=["CHANGE"])
    assert resumed.ok()["state"] == "PROPOSED"
    assert payload(site, number, "order.proposed")["fee_accepted"] == "11.50"


def payload(site: Site, number: str, kind: str) -> dict[str, object]:
    """Of the newest event of that kind in the field's log."""
    with sqlite3.connect(site.home / "field" / "log.db") as db:
        sql = (
            "SELECT payload FROM events WHERE order_id = ? AND kind = ?"
            " ORDER BY position DESC"
        )
        return dict(json.loads(db.execute(sql, (number, kind)).fetchone()[0]))


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
