"""Rules of field and office that need another clock, terminal or answer."""

from __future__ import annotations

import json
import sqlite3
from datetime import time, timedelta

import pytest
from msgspec.structs import replace
from procedures import office
from world import MOBILE, RUN_ANSWERS, Site

from emulator.bench import BRANCH, MID, NEW_NUMBER, OLD_NUMBER
from posctl.model.errors import CheckFailed, ClosedNow
from posctl.office import approve, commit


@pytest.mark.req("R34")
@pytest.mark.parametrize("step", ["approve", "commit"])
def test_an_order_expires_after_its_days(site: Site, step: str) -> None:
    if step == "approve":
        number = str(site.propose().ok()["order"])
        late = office(site, timedelta(days=15, seconds=1))
        call = lambda: approve.approve(late, number)  # noqa: E731
    else:
        number = site.approved()
        late = office(site, timedelta(days=15, seconds=1))
        call = lambda: commit.commit(late, number, 1.0)  # noqa: E731
    with pytest.raises(CheckFailed) as caught:
        call()
    assert caught.value.code == "order.expired"
    assert site.run("orders", "show", number).ok()["state"] == "EXPIRED"
    assert (site.account(), site.signed()) == (OLD_NUMBER, 0)
    assert site.propose().code == 0


@pytest.mark.req("R34")
def test_it_is_valid_to_the_last_second(site: Site) -> None:
    number = site.approved()
    order = commit.commit(office(site, timedelta(days=14, hours=23)), number, 5.0)
    assert order.state == "EFFECTIVE"


@pytest.mark.req("R36")
def test_the_backup_is_in_the_store_and_decodes(site: Site) -> None:
    number = str(site.propose().ok()["order"])
    with sqlite3.connect(site.home / "field" / "log.db") as db:
        (projection,) = db.execute("SELECT projection FROM orders").fetchone()
        sha256 = json.loads(projection)["backup"]
        (body,) = db.execute(
            "SELECT body FROM attachments WHERE sha256 = ?", (sha256,)
        ).fetchone()
    backup = json.loads(body)
    assert backup["tid"] == "11000001"
    assert backup["mid"] == MID
    assert backup["batch"] == "000001"
    kinds = [e["event"] for e in site.run("orders", "show", number).ok()["events"]]
    assert kinds.index("backup.proved") < kinds.index("account.sealed")


@pytest.mark.req("R36")
def test_a_terminal_that_does_not_hold_still_is_not_backed_up(site: Site) -> None:
    """Two reads that differ: no back-up, no account read, no order sent."""
    core = site.bench.terminal.core
    real = core.variables
    reads = iter(range(1000))

    def moving() -> dict[str, str]:
        return real() | {"batchNumber": f"{next(reads):06}"}

    core.variables = moving  # type: ignore[method-assign]
    ran = site.propose()
    assert (ran.code, ran.error["code"]) == (7, "backup.differs")
    (order,) = site.run("orders", "list").ok()["orders"]
    assert order["state"] == "PRECHECKED"
    core.variables = real  # type: ignore[method-assign]
    again = site.run(
        "change", "resume", order["order"], *site.means(), answers=RUN_ANSWERS
    )
    assert again.ok()["state"] == "PROPOSED"


@pytest.mark.req("R3")
def test_the_old_number_must_fit_what_the_terminal_shows(site: Site) -> None:
    wrong = "6212345678900000003"
    answers = [wrong, wrong, wrong]
    ran = site.run("change", "run", *site.means(), answers=answers)
    assert ran.code == 3
    assert "621234******1265" in ran.err
    assert wrong not in ran.err


@pytest.mark.req("R3")
def test_a_binding_that_moves_between_two_runs_is_a_conflict(site: Site) -> None:
    declined = [*RUN_ANSWERS[:-1], "no"]
    site.run("change", "run", *site.means(), answers=declined)
    (order,) = site.run("orders", "list").ok()["orders"]
    site.bench.ledger.change_account(MID, "6200000000000005", request=6)
    site.bench.loop.run(site.bench.terminal.host.download())
    again = site.run(
        "change", "resume", order["order"], *site.means(), answers=["CHANGE"]
    )
    assert (again.code, again.error["code"]) == (7, "binding.moved")


@pytest.mark.req("R2")
@pytest.mark.req("R1")
def test_another_terminal_at_the_same_port_is_noticed(site: Site) -> None:
    declined = [*RUN_ANSWERS[:-1], "no"]
    site.run("change", "run", *site.means(), answers=declined)
    (order,) = site.run("orders", "list").ok()["orders"]
    terminal = site.bench.terminal.core
    object.__setattr__(terminal.config, "serial", "0820009999")
    again = site.run(
        "change", "resume", order["order"], *site.means(), answers=["CHANGE"]
    )
    assert (again.code, again.error["code"]) == (7, "look.other_terminal")


@pytest.mark.req("R1")
@pytest.mark.parametrize("operator", ["nobody", "root", "../li"])
def test_no_anonymous_change(site: Site, operator: str) -> None:
    ran = site.run("change", "run", *site.means(), "--operator", operator)
    assert (ran.code, ran.error["code"]) == (2, "operator.missing")
    assert site.run("orders", "list").ok()["orders"] == []


@pytest.mark.req("R2")
def test_without_a_terminal_list_nothing_starts(site: Site) -> None:
    (site.home / "field" / "terminals" / f"{MID}.json").unlink()
    ran = site.propose()
    assert (ran.code, ran.error["code"]) == (7, "list.missing")
    assert f"posctl merchant fetch {MID}" in ran.error["next"]


@pytest.mark.req("R2")
def test_a_terminal_list_is_not_believed_unsigned(site: Site) -> None:
    path = site.home / "field" / "terminals" / f"{MID}.json"
    data = json.loads(path.read_text())
    data["body"]["tids"] = ["11000001", "66666666"]
    path.write_text(json.dumps(data))
    assert site.propose().error["code"] == "signature.wrong"


@pytest.mark.req("R18")
def test_a_number_can_be_typed_twice(site: Site) -> None:
    answers = [NEW_NUMBER, NEW_NUMBER, OLD_NUMBER, BRANCH, MOBILE, "CHANGE"]
    ran = site.run("change", "run", "--typed", *site.means(), answers=answers)
    assert ran.ok()["new"] == "621626*************"


@pytest.mark.req("R18")
@pytest.mark.req("R21")
def test_typed_numbers_that_are_wrong_are_asked_again(site: Site) -> None:
    bad_luhn = "6222040000030012"
    answers = [bad_luhn, "12", NEW_NUMBER, OLD_NUMBER]  # differ: both again
    answers += [NEW_NUMBER, NEW_NUMBER, OLD_NUMBER]
    answers += ["102100099995", BRANCH, MOBILE, "CHANGE"]
    ran = site.run("change", "run", "--typed", *site.means(), answers=answers)
    assert ran.ok()["state"] == "PROPOSED"
    for text in ("check digit is wrong", "13 to 19 digits", "two entries differ"):
        assert text in ran.err
    assert bad_luhn not in ran.err


@pytest.mark.req("R44")
def test_the_screen_shows_all_that_is_confirmed(site: Site) -> None:
    err = site.propose().err
    shown = err[err.index("  order     ") :]
    for text in (
        "621234******1265",
        "621626*********0018",
        "全渠道",
        BRANCH,
        "0.00 yuan",
        "effective when",
        MID,
    ):
        assert text in shown
    assert NEW_NUMBER not in err and OLD_NUMBER not in err


@pytest.mark.req("R11")
def test_the_commit_looks_at_the_window_again(site: Site) -> None:
    number = site.approved()
    late = office(site, timedelta())
    shut = ((time(), time()),)
    windows = replace(late.place.profile.windows, closed=shut)
    late.place.profile = replace(late.place.profile, windows=windows)
    with pytest.raises(ClosedNow) as caught:
        commit.commit(late, number, 1.0)
    assert caught.value.code == "window.closed_long"  # no day is left
    assert site.run("orders", "show", number).ok()["state"] == "APPROVED"
