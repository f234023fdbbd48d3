"""Failures through the real command line: exit code, cause, remedy, and what the
ledger and the terminal say afterwards."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import serial
from commands import (
    BAD_CHECK_DIGIT,
    LI,
    OTHER_NUMBER,
    WANG,
    Command,
    Talked,
    applications,
    failed,
    guarded_site,
    pay_to,
    setup_options,
    untouched,
)
from world import MOBILE, RUN_ANSWERS, MakeSite, Site

from emulator.bench import (
    BRANCH,
    CARDS,
    CREDIT_NUMBER,
    MID,
    NEW_NUMBER,
    OLD_NUMBER,
    TID,
    Bench,
    Scenario,
)
from emulator.faults import Fault
from posctl.store.profiles import example


def run(site: Site, *more: str, answers: tuple[str, ...] = RUN_ANSWERS) -> Any:
    return site.spawn("change", "run", *site.means(), *more, answers=answers)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all the tests that leave no order behind."""
    folder = tmp_path_factory.mktemp("quiet")
    with Bench(folder / "bench", Scenario(direct=True)) as bench:
        yield Site(bench, folder / "home").setup()


def states(site: Site) -> list[str]:
    orders = site.run("orders", "list").ok()["orders"]
    return [f"{order['state']} {order['terminal']}" for order in orders]


def show(site: Site, number: str) -> dict[str, Any]:
    return site.run("orders", "show", number).ok()


@contextmanager
def edited(path: Path, old: bytes, new: bytes) -> Iterator[None]:
    """A file with one byte changed, for a while."""
    before = path.read_bytes()
    assert len(old) == len(new) and before.count(old) >= 1
    path.write_bytes(before.replace(old, new, 1))
    yield
    path.write_bytes(before)


# -- no device -----------------------------------------------------------------


@pytest.mark.req("R47")
def test_no_such_port(quiet: Site) -> None:
    means = ["--port", "/dev/ttyNONE9", "--reader", quiet.bench.reader]
    error = failed(quiet.spawn("change", "run", *means), "port.missing", 4)
    assert "/dev/ttyNONE9" in error["text"]
    assert states(quiet) == []
    untouched(quiet)


@pytest.mark.req("R47")
def test_a_port_that_another_program_holds(site: Site) -> None:
    with closing(serial.Serial(site.bench.port, exclusive=True)):
        error = failed(run(site), "port.busy", 4)
    assert site.bench.port in error["text"]
    assert states(site) == []
    assert site.propose().ok()["state"] == "PROPOSED"
    untouched(site)


@pytest.mark.req("R47")
def test_no_card_then_one(make_site: MakeSite) -> None:
    site = make_site(card="none")
    failed(run(site), "card.none", 4)
    (order,) = site.run("orders", "list").ok()["orders"]
    assert (order["state"], order["new"]) == ("BACKED_UP", "")
    untouched(site)

    profile = CARDS["debit"]
    assert profile
    site.bench.slot.insert(profile)
    resume = ["change", "resume", order["order"], *site.means()]
    assert site.run(*resume, answers=RUN_ANSWERS).ok()["state"] == "PROPOSED"


# -- the wrong card, account, terminal -----------------------------------------


@pytest.mark.req("R20")
@pytest.mark.req("R47")
def test_a_credit_card(make_site: MakeSite) -> None:
    site = make_site(card="credit")
    ran = run(site)
    error = failed(ran, "card.kind_refused", 7)
    assert "credit" in error["text"]
    assert CREDIT_NUMBER not in ran.err + json.dumps(ran.data)
    assert states(site) == ["BACKED_UP pending"]
    untouched(site)


@pytest.mark.req("R2")
@pytest.mark.req("R47")
def test_a_terminal_that_the_provider_does_not_list(make_site: MakeSite) -> None:
    site = make_site(wrong_terminal=True)
    error = failed(run(site), "look.mismatch", 7)
    assert (error["params"]["tid"], error["params"]["listed"]) == (TID, "11999999")
    (order,) = site.run("orders", "list").ok()["orders"]
    assert show(site, order["order"])["reason"] == "look.mismatch"
    assert order["state"] == "CANCELLED"
    untouched(site)


@pytest.mark.req("R16")
@pytest.mark.req("R47")
def test_the_same_account_is_a_no_op_that_says_so(make_site: MakeSite) -> None:
    site = make_site(card="same")
    error = failed(run(site), "account.same", 0)
    assert error["text"].startswith("nothing to do")
    assert error["next"] == ""
    assert states(site) == ["CANCELLED n/a"]
    untouched(site)


@pytest.mark.req("R16")
def test_the_no_op_as_people_see_it(make_site: MakeSite) -> None:
    site = make_site(card="same")
    arguments = ["change", "run", *site.means()]
    done = Command(site, arguments, RUN_ANSWERS).start().finish()
    assert (done.code, done.out) == (0, "")
    assert done.lines[-1][1] == (
        "note: nothing to do: the new number is the present account that you named,"
        " 621234******1265"
    )


@pytest.mark.req("R3")
@pytest.mark.req("R47")
def test_an_old_number_that_is_not_the_terminals(site: Site) -> None:
    ran = run(site, answers=(OTHER_NUMBER,) * 3)
    error = failed(ran, "person.no_answer", 3)
    assert "present settlement account" in error["text"]
    assert ran.err.count("that is not the account that the terminal shows") == 3
    assert states(site) == ["BACKED_UP pending"]
    untouched(site)


@pytest.mark.req("R21")
def test_a_typed_number_with_a_wrong_check_digit_is_asked_again(site: Site) -> None:
    typed = (BAD_CHECK_DIGIT, NEW_NUMBER, NEW_NUMBER)
    ran = run(site, "--typed", answers=(*typed, *RUN_ANSWERS))
    assert ran.ok()["new"] == "621626*************"
    assert ran.err.count("the check digit is wrong") == 1
    assert ran.err.count("? Number of the new card") == 2
    assert BAD_CHECK_DIGIT not in ran.err
    untouched(site)


@pytest.mark.req("R21")
def test_two_entries_that_differ_are_not_taken(site: Site) -> None:
    answers = (NEW_NUMBER, OLD_NUMBER) * 3
    ran = site.run("change", "run", *site.means(), "--typed", answers=answers)
    failed(ran, "number.differs", 7)
    assert ran.err.count("the two entries differ: type both again") == 3
    untouched(site)


@pytest.mark.req("R25")
def test_a_branch_with_a_wrong_check_digit_is_asked_again(site: Site) -> None:
    wrong = BRANCH[:-1] + "7"
    answers = (OLD_NUMBER, wrong, BRANCH, MOBILE, "CHANGE")
    ran = site.run("change", "run", *site.means(), answers=answers)
    assert ran.ok()["state"] == "PROPOSED"
    assert ran.err.count("the bank code's check digit is wrong") == 1


# -- the provider --------------------------------------------------------------


@pytest.mark.req("R40")
@pytest.mark.req("R47")
def test_the_provider_rejects(make_site: MakeSite) -> None:
    site = make_site(reject=True)
    number = site.approved()
    error = failed(site.spawn("change", "commit", number), "provider.rejected", 6)
    assert (error["params"]["namespace"], error["params"]["raw"]) == ("chinaums", "04")
    assert "account is closed" in error["text"]
    assert states(site) == ["REJECTED n/a"]
    assert (site.account(), site.version()) == (OLD_NUMBER, 1)
    tag = site.bench.terminal.core.binding_tag()
    assert tag is not None and tag.version == 1
    failed(site.confirm(number), "order.not_effective", 7)


@pytest.mark.req("R3")
@pytest.mark.req("R47")
def test_an_old_number_that_only_the_provider_knows_to_be_wrong(site: Site) -> None:
    """It fits the mask on the terminal; the provider matches it exactly."""
    number = site.approved()
    pay_to(site, OTHER_NUMBER)
    error = failed(site.spawn("change", "commit", number), "provider.refused", 6)
    assert (error["params"]["namespace"], error["params"]["raw"]) == (
        "chinaums",
        "2000",
    )
    assert states(site) == ["REJECTED n/a"]
    assert (applications(site), site.account()) == (0, OTHER_NUMBER)


@pytest.mark.req("R47")
def test_the_provider_is_down(site: Site) -> None:
    number = site.approved()
    site.bench.provider.stop()
    error = failed(site.spawn("change", "commit", number), "host.unreachable", 5)
    assert error["params"]["sent"] == "False"
    assert states(site) == ["APPROVED pending"]
    assert applications(site) == 0
    untouched(site)


@pytest.mark.req("R37")
@pytest.mark.req("R47")
def test_the_provider_is_down_for_a_while(site: Site) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault("*", "refuse_before", times=1))
    failed(site.spawn("change", "commit", number), "host.lost", 5)
    assert states(site) == ["APPROVED pending"]
    untouched(site)
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    assert (site.account(), site.signed()) == (NEW_NUMBER, 1)


@pytest.mark.req("R41")
@pytest.mark.req("R47")
def test_a_lost_answer_is_unknown_until_it_is_asked_for(site: Site) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault("alter_sign", "drop_answer"))
    error = failed(site.spawn("change", "commit", number), "effect.unknown", 8)
    assert error["next"] == f"posctl change resume {number}"
    assert show(site, number)["unsettled_effect"] == "sign"
    assert site.run("change", "resume", number).ok()["state"] == "EFFECTIVE"
    assert (site.account(), site.version(), site.signed()) == (NEW_NUMBER, 2, 1)


@pytest.mark.req("R35")
@pytest.mark.req("R47")
def test_the_terminals_host_is_down(site: Site) -> None:
    number, bench = site.approved(), site.bench
    site.commit(number).ok()
    port = bench.host.port
    bench.loop.run(bench.host.stop())
    confirm = ["change", "confirm", number, "--port", bench.port]
    error = failed(site.spawn(*confirm, answers=["SETTLE"]), "terminal.refused", 6)
    assert (error["params"]["namespace"], error["params"]["raw"]) == (
        "poslink",
        "100007",
    )
    assert states(site) == ["EFFECTIVE pending"]
    core = bench.terminal.core
    assert (core.batch, core.count) == (1, len(bench.scenario.transactions))

    bench.loop.run(bench.host.start(port))
    assert site.confirm(number).ok()["state"] == "CLOSED"
    assert (core.batch, core.count) == (2, 0)
    tag = core.binding_tag()
    assert tag is not None and (tag.version, tag.mask) == (2, "621626*********0018")


# -- a step that is missing or comes too late ----------------------------------


@pytest.mark.req("R34")
@pytest.mark.req("R47")
def test_commit_before_approval(site: Site) -> None:
    number = str(site.propose().ok()["order"])
    error = failed(site.spawn("change", "commit", number), "order.not_approved", 7)
    assert "confirm first" in error["text"]
    assert error["next"] == f"posctl change approve {number}"
    assert states(site) == ["PROPOSED pending"]
    assert applications(site) == 0
    untouched(site)


@pytest.mark.req("R47")
def test_a_failure_as_people_see_it(site: Site) -> None:
    number = str(site.propose().ok()["order"])
    done = Command(site, ["change", "commit", number]).start().finish()
    assert (done.code, done.out) == (7, "")
    assert [line for _at, line in done.lines[-2:]] == [
        f"posctl: order.not_approved: order {number} is not approved yet:"
        " confirm first",
        f"next: posctl change approve {number}",
    ]


@pytest.mark.req("R47")
def test_a_missing_terminal_list_names_the_command(quiet: Site) -> None:
    fetched = quiet.home / "field" / "terminals" / f"{MID}.json"
    away = fetched.rename(fetched.with_suffix(".away"))
    error = failed(run(quiet), "list.missing", 7)
    away.rename(fetched)
    assert error["next"].endswith(f"posctl merchant fetch {MID}")
    untouched(quiet)


@pytest.mark.req("R47")
def test_an_order_that_is_not_here(quiet: Site) -> None:
    ways_on = "posctl orders list; one that another machine holds"
    ran = quiet.spawn("change", "commit", "ABCD-00001")
    assert failed(ran, "order.missing", 2)["next"].startswith(ways_on)
    for command in ("orders show", "change resume", "change confirm", "receipt show"):
        ran = quiet.run(*command.split(), "ABCD-00001")
        assert failed(ran, "order.missing", 2)["next"].startswith(ways_on)


@pytest.mark.req("R45")
@pytest.mark.req("R47")
def test_no_receipt_before_the_change_is_effective(site: Site) -> None:
    number = site.approved()
    error = failed(site.run("receipt", "show", number), "receipt.none", 7)
    assert "APPROVED" in error["text"]


@pytest.mark.req("R8")
@pytest.mark.req("R47")
def test_a_closed_window(quiet: Site, tmp_path: Path) -> None:
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    around = ", ".join(f"{now + timedelta(hours=h):%H:%M:%S}" for h in (-2, 2))
    closed = example("emulator").replace("closed = []", f"closed = [[{around}]]")
    (tmp_path / "shut.toml").write_text(closed, "utf-8")
    shut = replace(quiet, home=tmp_path / "shut")
    options = setup_options(quiet.bench)
    options[options.index("emulator")] = str(tmp_path / "shut.toml")
    shut.run(*options, "--test").ok()
    error = failed(run(shut), "window.closed", 10)
    assert "opens" in error["text"]
    untouched(quiet)


# -- people and set-up ---------------------------------------------------------


@pytest.mark.req("R47")
def test_an_operator_that_nobody_knows(quiet: Site) -> None:
    error = failed(run(quiet, "--operator", "zhao"), "operator.missing", 2)
    assert "li, wang" in error["text"]
    assert states(quiet) == []
    untouched(quiet)


@pytest.mark.req("R47")
def test_no_set_up(quiet: Site, tmp_path: Path) -> None:
    nowhere = replace(quiet, home=tmp_path / "nowhere")
    error = failed(run(nowhere), "setup.missing", 2)
    assert "posctl setup" in error["next"]
    assert not nowhere.home.exists()


@pytest.mark.req("R30")
def test_one_person_cannot_have_both_roles(quiet: Site, tmp_path: Path) -> None:
    one = replace(quiet, home=tmp_path / "one")
    options = setup_options(quiet.bench, "li", "li")
    failed(one.spawn(*options, "--test"), "setup.two_people", 7)
    assert not one.home.exists()


def test_a_set_up_is_not_made_twice(quiet: Site) -> None:
    before = (quiet.home / "root.pem").read_bytes()
    ran = quiet.run(*setup_options(quiet.bench), "--test")
    failed(ran, "setup.exists", 2)
    assert (quiet.home / "root.pem").read_bytes() == before


@pytest.mark.req("R5")
def test_a_profile_with_one_byte_edited(site: Site) -> None:
    number = site.approved()
    profile = site.home / "profiles" / "emulator.toml"
    with edited(profile, b'change = "0.00"', b'change = "9.00"'):
        failed(run(site), "profile.signature", 7)
        failed(site.spawn("change", "commit", number), "profile.signature", 7)
    assert states(site) == ["APPROVED pending"]
    assert applications(site) == 0
    untouched(site)


EDITS = [
    (b'"fee":"0.00"', b'"fee":"0.01"', "signature.wrong"),
    (b'"sender":"field"', b'"sender":"fielD"', "signature.wrong"),
    (b'"boxes":{"', b'"boxes":{ ', "orderfile.unreadable"),
    (b'"version":1}', b'"version":2}', "orderfile.unreadable"),
]


STARTS = (Site.spawn, Site.run, Site.run, Site.run)


@pytest.mark.req("R30")
def test_an_order_file_with_one_byte_edited(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "sent.posctl-order"
    propose = ["change", "run", *site.means(), "--order-file", str(file)]
    number = site.run(*propose, answers=RUN_ANSWERS).ok()["order"]
    approve = ["change", "approve", number, "--order-file", str(file)]
    digits = [NEW_NUMBER[-4:]]
    for start, (old, new, code) in zip(STARTS, EDITS, strict=True):
        with edited(file, old, new):
            failed(start(site, *approve, answers=digits), code, 7)
    assert states(site) == ["PROPOSED pending"]
    untouched(site)
    assert site.run(*approve, answers=digits).ok()["state"] == "APPROVED"


@pytest.mark.req("R1")
def test_a_wrong_passphrase(quiet: Site, tmp_path: Path) -> None:
    guarded = guarded_site(quiet.bench, tmp_path / "guarded")
    fetch = ("merchant", "fetch", MID)
    failed(guarded.spawn(*fetch, answers=[LI]), "passphrase.wrong", 7)
    failed(run(guarded, answers=(WANG,)), "passphrase.wrong", 7)
    means = guarded.means()
    failed(guarded.run("change", "run", *means), "person.no_answer", 3)
    assert not (guarded.home / "field" / "terminals").exists()
    assert states(guarded) == []
    untouched(quiet)


# -- interrupted ---------------------------------------------------------------


@pytest.mark.req("R37")
def test_interrupted_while_it_waits_for_a_card(make_site: MakeSite) -> None:
    site = make_site(card="none")
    means = [*site.means(), "--wait-card", "30"]
    first = interrupted(site, signal.SIGINT, "backed up", "change", "run", *means)
    assert first.code == 130
    (order,) = site.run("orders", "list").ok()["orders"]
    resume = ["change", "resume", order["order"], *means]
    second = interrupted(site, signal.SIGTERM, "stands at BACKED_UP", *resume)
    assert second.code == 143
    assert states(site) == ["BACKED_UP pending"]
    untouched(site)


def interrupted(
    site: Site, number: signal.Signals, after: str, *arguments: str
) -> Talked:
    command = Command(site, arguments).start()
    command.until(after)
    command.process.send_signal(number)
    done = command.finish()
    assert "Traceback" not in done.err
    assert "posctl change resume" in done.lines[-1][1]
    assert done.seconds < 10
    return done
