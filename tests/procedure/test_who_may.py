"""Who may have which account, and who may act for the merchant."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from procedures import (
    NAMED,
    OTHER_MID,
    OTHER_TID,
    STEPS,
    Changed,
    of_merchant,
    office,
    proposed,
    site_with,
    state,
)
from world import RUN_ANSWERS, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER
from posctl.model.canonical import canonical
from posctl.model.errors import ClosedNow, UsageError
from posctl.office import commit
from posctl.store import keys
from posctl.store.home import Home
from posctl.store.profiles import example, parse


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
        ("individual", True, "eligibility.individual"),
        ("enterprise", False, "eligibility.enterprise"),
        ("government", False, "eligibility.government"),
        ("other", False, "eligibility.other"),
    ],
)
def test_who_may_have_which_account(
    changed: Changed, subject: str, corporate: bool, code: str
) -> None:
    changes = {
        BEFORE: '    "eligibility", "documents", "caps",\n',
        'individual = ["card", "corporate"]': 'individual = ["card"]',
    }
    site = changed(changes, "--subject", subject)
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
    of_merchant(site, number, OTHER_MID, OTHER_TID)
    refused = site.propose()
    assert (refused.code, refused.error["code"]) == (7, "caps.technician")


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


@pytest.mark.req("R14", "R30")
def test_two_answers_from_elsewhere_do_not_pass_a_cap_that_holds_for_one(
    changed: Changed, tmp_path: Path
) -> None:
    """Both were asked for while the cap was free; the other one was taken first."""
    site = changed({"merchants_per_account = 5": "merchants_per_account = 1"})
    other = _another_merchant_with(site, NEW_NUMBER, "CANCELLED")
    number = proposed(site)
    file = tmp_path / "armoured"
    file.write_text(site.run("approval", "request", number).ok()["text"])
    digits = [NEW_NUMBER[-4:]]
    file.write_text(
        site.run("approval", "sign", str(file), answers=digits).ok()["text"]
    )
    _set_office_state(site, other, "APPROVED")
    taken = site.run("approval", "take", number, str(file))
    assert (taken.code, taken.error["code"]) == (7, "office.cap_account")
    assert state(site, number) == "PROPOSED"
    _set_office_state(site, other, "CANCELLED")
    assert site.run("approval", "take", number, str(file)).ok()["state"] == "APPROVED"


def _set_office_state(site: Site, number: str, to: str) -> None:
    with sqlite3.connect(site.home / "office" / "log.db") as db:
        db.execute(
            "UPDATE orders SET state = ?, projection = json_set(projection,"
            " '$.state', ?) WHERE order_id = ?",
            (to, to, number),
        )


def _another_merchant_with(site: Site, number: str, state: str = "CLOSED") -> str:
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
    other = {"mid": OTHER_MID, "tid": OTHER_TID, "state": state}
    place.log._db.execute(
        "UPDATE orders SET projection = ?, mid = ?, tid = ?, state = ?"
        " WHERE order_id = ?",
        (json.dumps(projection | other), *other.values(), first),
    )
    field = Home(site.home).field / "log.db"
    with sqlite3.connect(field) as db:
        db.execute("DELETE FROM orders WHERE order_id = ?", (first,))
    return first


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


# -- counted at the office, whatever a laptop says ---------------------------------


def other_laptop(site: Site, folder: Path) -> Callable[[], None]:
    """Keeps the field's store as it is now; what puts it back."""
    field = Home(site.home).field
    shutil.copytree(field, folder / "kept")

    def put_back() -> None:
        shutil.rmtree(field)
        shutil.copytree(folder / "kept", field)

    return put_back


@pytest.mark.req("R14")
def test_a_technicians_orders_count_over_all_his_laptops(
    changed: Changed, tmp_path: Path
) -> None:
    site = changed({"open_per_technician = 10": "open_per_technician = 1"})
    put_back = other_laptop(site, tmp_path)
    first = proposed(site)
    site.run("orders", "list").ok()  # the office takes it in
    of_merchant(site, first, OTHER_MID, OTHER_TID)
    put_back()
    refused = site.approve(proposed(site))
    assert (refused.code, refused.error["code"]) == (7, "office.cap_technician")


@pytest.mark.req("R15")
def test_a_change_that_another_laptop_made_counts_as_recent(
    changed: Changed, tmp_path: Path
) -> None:
    site = changed({"days_between_changes = 0": "days_between_changes = 7"})
    put_back = other_laptop(site, tmp_path)
    number = site.approved()
    site.commit(number).ok()
    put_back()
    with site.bench.ledger.locked() as ledger:
        ledger.merchants[MID].account = OLD_NUMBER  # so that there is something to do
    refused = site.approve(proposed(site))
    assert (refused.code, refused.error["code"]) == (7, "office.cap_recent")
    assert refused.error["params"]["order"] == number


# -- what is only told, and what is not known --------------------------------------


@pytest.mark.req("R12")
def test_a_terminal_clock_a_few_minutes_off_is_told(site: Site) -> None:
    site.bench.terminal.core.clock_ahead += timedelta(minutes=7)
    ran = site.propose()
    assert ran.ok()["state"] == "PROPOSED"
    assert re.search("clock is [67] minutes off", ran.err)


@pytest.mark.req("R4", "R12")
def test_how_far_off_its_clock_may_be_is_the_profiles(changed: Changed) -> None:
    site = changed({"warns = 5": "warns = 2", "refuses = 1440": "refuses = 5"})
    site.bench.terminal.core.clock_ahead += timedelta(minutes=4)
    assert re.search("clock is [34] minutes off", site.propose().err)
    number = site.run("orders", "list").ok()["orders"][0]["order"]
    site.run("change", "rollback", number).ok()
    site.bench.terminal.core.clock_ahead += timedelta(minutes=4)
    refused = site.propose()
    assert (refused.code, refused.error["code"]) == (7, "terminal.clock")
    assert refused.error["params"]["limit"] == "5"


@pytest.mark.req("R12")
def test_a_profile_with_the_clock_step_has_its_limits() -> None:
    limits = "[terminal.clock]", "warns = 5", "refuses = 1440"
    text = "\n".join(
        line for line in example("emulator").splitlines() if not line.startswith(limits)
    )
    with pytest.raises(UsageError) as refused:
        parse(text, source="-")
    assert "terminal.clock" in str(refused.value.params["reason"])


@pytest.mark.req("R8")
def test_a_holiday_that_is_near_is_told(changed: Changed) -> None:
    first = (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=2)).date()
    last = first + timedelta(days=3)
    holiday = f'[[windows.holidays]]\nname = "x"\nfirst = {first}\nlast = {last}\n'
    site = changed({"warn_days = 5": f"warn_days = 5\n{holiday}"})
    ran = site.propose()
    assert ran.ok()["state"] == "PROPOSED"
    assert str(first) in ran.err


@pytest.mark.req("R13")
def test_a_merchant_of_no_known_type_is_asked_about_first(
    site: Site, tmp_path: Path
) -> None:
    changes = {BEFORE: '    "eligibility", "documents", "caps",\n'}
    made = site_with(site, tmp_path / "changed", changes)
    made.run("merchant", "fetch", MID).ok()  # it was never registered
    refused = made.propose()
    assert (refused.code, refused.error["code"]) == (7, "eligibility.unknown")


@pytest.mark.req("R15")
def test_a_mandate_for_something_else_does_not_count(
    changed: Changed,
) -> None:
    """The office writes one scope today; a list may come to hold others."""
    steps = {BEFORE: '    "mandate", "documents", "caps",\n'}
    site = changed(steps, "--mandate", "zhang:2099-12-31")
    path = Home(site.home).field / "terminals" / f"{MID}.json"
    wang = keys.load_operator(Home(site.home).operators, "wang", None)
    signed = json.loads(path.read_text())
    assert signed["body"]["mandates"][0]["scope"] == "settlement account"
    signed["body"]["mandates"][0]["scope"] = "repairs"
    signed["proof"] = wang.sign("terminal list", signed["body"])
    path.write_bytes(canonical(signed))
    words = ("change", "run", *site.means(), "--agent", "zhang")
    refused = site.run(*words, answers=RUN_ANSWERS)
    assert (refused.code, refused.error["code"]) == (7, "mandate.scope")


@pytest.mark.req("R15")
def test_an_agent_is_refused_where_no_step_looks_at_mandates(site: Site) -> None:
    """Before the terminal is opened: nothing would ever have looked at him."""
    words = ("change", "run", *site.means(), "--agent", "zhang")
    refused = site.run(*words, answers=RUN_ANSWERS)
    assert (refused.code, refused.error["code"]) == (7, "mandate.no_step")
    assert site.run("orders", "list").ok()["orders"] == []


@pytest.mark.req("R5")
def test_a_profile_without_its_signature_is_called_unsigned(
    site: Site, tmp_path: Path
) -> None:
    shutil.copy(Home(site.home).profiles / "emulator.toml", tmp_path / "own.toml")
    refused = site.run("profile", "verify", str(tmp_path / "own.toml"))
    assert (refused.code, refused.error["code"]) == (7, "profile.unsigned")
