"""A whole change at WeChat Pay, through the command line: it signs nothing, its POST
commits, and it shows the account (R37, R38, R40, R41)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from procedures import of_merchant, office, register, site_with, state
from world import MakeSite, Ran, Site

from emulator.acquirer.partners import add_wechatpay
from emulator.acquirer.wechatpay import Course
from emulator.bench import BRANCH, MID, NEW_NUMBER, OLD_NUMBER
from emulator.faults import Fault
from posctl.model.clock import stamp
from posctl.model.deadline import Deadline
from posctl.model.errors import PosctlError
from posctl.office import commit
from posctl.office.watch import look_again, moments
from posctl.providers.wechatpay import WeChatPay

SUB = "1900006491"
BEIJING = ZoneInfo("Asia/Shanghai")
QUICK = {
    "every_seconds = 60": "every_seconds = 0.05",
    "wait_seconds = 60": "wait_seconds = 5",
    "cooling_hours = 24": "cooling_hours = 0",
}
ANSWERS = (
    SUB,
    NEW_NUMBER,
    NEW_NUMBER,
    "全渠道",
    "中国银行",
    "110000",
    BRANCH,
    "CHANGE",
)

MakeWeChat = Callable[..., Site]


@pytest.fixture
def make_wechat(make_site: MakeSite, tmp_path: Path) -> MakeWeChat:
    def make(
        course: Course | None = None,
        clock: Callable[[], float] = time.time,
        **changes: str,
    ) -> Site:
        base = make_site()
        credentials = add_wechatpay(
            base.bench.provider, base.bench.ledger, {SUB: MID}, course, clock
        )
        site = site_with(
            base,
            tmp_path / "wechat",
            {**QUICK, **changes},
            name="wechatpay",
            credentials=credentials,
        )
        register(site, SUB)
        return site

    return make


@pytest.fixture
def wechat(make_wechat: MakeWeChat) -> Site:
    return make_wechat()


def propose(site: Site) -> str:
    ran = site.run("change", "run", "--typed", answers=ANSWERS)
    assert "Traceback" not in ran.err
    return str(ran.ok()["order"])


def approve(site: Site, number: str) -> Ran:
    return site.run("change", "approve", number, answers=("CALLED", NEW_NUMBER[-4:]))


def approved(site: Site) -> str:
    number = propose(site)
    approve(site, number).ok()
    return number


@pytest.mark.req("R2")
@pytest.mark.req("R27")
@pytest.mark.req("R40")
def test_a_change_from_the_label_to_closed(wechat: Site) -> None:
    """No cable, no pictures: the merchant's number is read off the contract, the old
    account at the provider. Nothing is left for a visit."""
    number = propose(wechat)
    order = approve(wechat, number).ok()
    assert order["old"] == "621234******1265"  # as the provider shows it
    done = wechat.commit(number).ok()
    assert (done["state"], done["terminal"]) == ("CLOSED", "n/a")
    assert (wechat.account(), wechat.version()) == (NEW_NUMBER, 2)
    receipt = wechat.run("receipt", "show", number).ok()
    assert receipt["old"] == "621234******1265"
    assert wechat.run("orders", "list", "--open").ok()["orders"] == []
    assert wechat.run("audit", "verify").ok()["stores"]


def posts(site: Site) -> int:
    """How many applications the platform has taken."""
    with site.bench.ledger.locked():
        face = site.bench.provider.faces[0]
        return len(face._memory.applications)  # type: ignore[attr-defined]


@pytest.mark.req("R37")
@pytest.mark.req("R41")
def test_a_lost_answer_is_settled_by_reading_never_by_a_second_post(
    make_wechat: MakeWeChat,
) -> None:
    wechat = make_wechat(Course(verifying=0.0, done=0.2))
    number = approved(wechat)
    wechat.bench.provider.faults.add(Fault("modify-settlement", "drop_answer"))
    lost = wechat.commit(number)
    assert (lost.code, lost.error["code"]) == (8, "effect.unknown")
    assert wechat.run("change", "rollback", number).error["code"] == "rollback.too_late"
    done = wechat.run("change", "resume", number).ok()
    assert (done["state"], wechat.account()) == ("CLOSED", NEW_NUMBER)
    assert posts(wechat) == 1


@pytest.mark.req("R41")
def test_a_post_that_may_not_have_arrived_stays_unknown_then_manual(
    make_wechat: MakeWeChat,
) -> None:
    """Nothing shows at the provider: unknown as long as it may still come, then a
    person's task. It is never sent again."""
    site = make_wechat(**{"undecided_hours = 24": "undecided_hours = 0"})
    number = approved(site)
    site.bench.provider.faults.add(Fault("modify-settlement", "refuse_before"))
    assert site.commit(number).code == 8
    asked = site.commit(number)
    assert (asked.code, asked.error["code"]) == (9, "commit.manual")
    assert (posts(site), site.account()) == (0, OLD_NUMBER)
    assert site.run("orders", "show", number).ok()["state"] == "MANUAL"


@pytest.mark.req("R41")
def test_a_post_that_never_arrived_frees_the_merchant_in_the_end(
    make_wechat: MakeWeChat,
) -> None:
    """As long as a proposal is valid it may yet turn up; then it cannot any more."""
    ahead = [0.0]
    site = make_wechat(
        clock=lambda: time.time() + ahead[0],
        **{"undecided_hours = 24": "undecided_hours = 0"},
    )
    number = approved(site)
    site.bench.provider.faults.add(Fault("modify-settlement", "refuse_before"))
    assert (site.commit(number).code, site.commit(number).code) == (8, 9)

    def after(days: int) -> str:
        ahead[0] = days * 86400.0
        late = office(site, timedelta(days=days))
        try:
            return str(commit.commit(late, number, 1.0).state)
        except PosctlError as failure:
            return failure.code

    assert after(14) == "commit.manual"
    assert after(16) == "commit.never_arrived"
    assert site.run("orders", "show", number).ok()["state"] == "REJECTED"
    assert (posts(site), site.account()) == (0, OLD_NUMBER)


@pytest.mark.req("R41")
def test_a_post_that_may_not_have_arrived_blocks_the_merchant(wechat: Site) -> None:
    number = approved(wechat)
    wechat.bench.provider.faults.add(Fault("modify-settlement", "refuse_before"))
    assert wechat.commit(number).code == 8
    again = wechat.commit(number)
    assert (again.code, again.error["params"]["cause"]) == (8, "provider.undecided")
    blocked = wechat.run("change", "run", "--typed", answers=ANSWERS)
    assert blocked.error["code"] == "order.at_office"


@pytest.mark.req("R32")
def test_a_host_that_is_busy_is_not_asked_twice(wechat: Site) -> None:
    number = approved(wechat)
    wechat.bench.provider.faults.add(Fault("modify-settlement", "busy"))
    assert wechat.commit(number).code == 8
    assert posts(wechat) == 0


@pytest.mark.req("R40")
def test_the_new_number_shown_after_a_failed_audit_is_no_success(
    make_wechat: MakeWeChat,
) -> None:
    """The trap: the settlement query shows the new account, the old one is paid."""
    site = make_wechat(Course(verifying=0.0, done=0.1))
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[NEW_NUMBER].is_open = False
    number = approved(site)
    rejected = site.commit(number)
    assert (rejected.code, rejected.error["code"]) == (6, "provider.rejected")
    shown = site.run("orders", "show", number).ok()
    assert (shown["state"], site.account()) == ("REJECTED", OLD_NUMBER)
    # who reads it afterwards is not fooled either: the account in force is unknown
    number = propose(site)
    assert approve(site, number).ok()["old"] is None
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[NEW_NUMBER].is_open = True
    assert site.commit(number).ok()["state"] == "CLOSED"
    assert site.account() == NEW_NUMBER


@pytest.mark.req("R40")
def test_a_success_whose_read_back_shows_another_account_is_not_effective(
    make_wechat: MakeWeChat,
) -> None:
    """Decided for us, and changed back by somebody before we looked."""
    site = make_wechat(Course(verifying=0.0, done=0.1))
    number = approved(site)
    site.commit(number, "--wait", "0")
    deadline = Deadline(10.0)
    while site.account() != NEW_NUMBER:
        site.run("merchant", "account", SUB)  # the platform decides when it is asked
        assert not deadline.passed
    with site.bench.ledger.locked() as ledger:
        ledger.merchants[MID].account = OLD_NUMBER
    unsure = site.commit(number)
    assert (unsure.code, unsure.error["code"]) == (8, "readback.failed")
    shown = site.run("orders", "show", number).ok()
    assert (shown["state"], shown["effective"]) == ("READBACK", None)
    assert site.run("receipt", "show", number).error["code"] == "receipt.none"
    with site.bench.ledger.locked() as ledger:
        ledger.merchants[MID].account = NEW_NUMBER
    assert site.commit(number).ok()["state"] == "CLOSED"


@pytest.mark.req("R2")
def test_a_profile_may_refuse_where_the_account_in_force_is_unknown(
    make_wechat: MakeWeChat,
) -> None:
    site = make_wechat(
        Course(verifying=0.0, done=0.1),
        **{'required = ["mid"]': 'required = ["mid", "account"]'},
    )
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[NEW_NUMBER].is_open = False
    site.commit(approved(site))
    refused = approve(site, propose(site))
    assert (refused.code, refused.error["code"]) == (7, "look.unknown")


@pytest.mark.req("R41")
def test_a_lost_answer_after_an_earlier_failure_is_not_taken_for_that_failure(
    make_wechat: MakeWeChat,
) -> None:
    """The same number once more: what the provider shows is the FIRST application."""
    site = make_wechat(Course(verifying=0.3, done=0.6))
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[NEW_NUMBER].is_open = False
    site.commit(approved(site))
    number = approved(site)
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[NEW_NUMBER].is_open = True
    site.bench.provider.faults.add(Fault("modify-settlement", "drop_answer"))
    assert site.commit(number).code == 8
    deadline = Deadline(10.0)
    while (ran := site.commit(number)).code == 8:
        assert site.run("orders", "show", number).ok()["state"] != "REJECTED"
        assert not deadline.passed
    assert (ran.ok()["state"], site.account()) == ("CLOSED", NEW_NUMBER)


@pytest.mark.req("R40")
def test_while_it_is_audited_the_old_account_is_effective(
    make_wechat: MakeWeChat,
) -> None:
    site = make_wechat(Course(verifying=0.0, done=60.0))
    number = approved(site)
    waiting = site.commit(number, "--wait", "0")
    assert (waiting.code, waiting.error["code"]) == (11, "commit.pending")
    shown = site.run("orders", "show", number).ok()
    assert (shown["state"], shown["pending"]) == ("AUDITING", "621626*********0018")
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R3")
def test_an_account_that_moved_at_the_provider_is_a_conflict(wechat: Site) -> None:
    number = approved(wechat)
    with wechat.bench.ledger.locked() as ledger:
        ledger.merchants[MID].account = "6205500000000000004"
        ledger.accounts["6205500000000000004"] = ledger.accounts[OLD_NUMBER]
    moved = wechat.commit(number)
    assert (moved.code, moved.error["code"]) == (7, "binding.conflict")
    assert posts(wechat) == 0


SAME_MASK = f"{NEW_NUMBER[:6]}{0:09}{NEW_NUMBER[-4:]}"
"""First six and last four of the new number, made here: no check digit holds."""


@pytest.mark.req("R40", "R41")
def test_one_mask_for_both_numbers_proves_nothing(make_wechat: MakeWeChat) -> None:
    """The request never arrived, and the old account looks like the new one."""
    site = make_wechat(**{"undecided_hours = 24": "undecided_hours = 0"})
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[SAME_MASK] = ledger.accounts[OLD_NUMBER]
        ledger.merchants[MID].account = SAME_MASK
    number = approved(site)
    site.bench.provider.faults.add(Fault("modify-settlement", "refuse_before"))
    for _again in range(3):
        assert site.commit(number).code != 0
    assert (posts(site), site.account()) == (0, SAME_MASK)
    assert state(site, number) not in ("EFFECTIVE", "CLOSED")
    assert site.run("receipt", "show", number).code != 0


@pytest.mark.req("R40")
def test_a_mask_of_stars_alone_proves_nothing(
    make_wechat: MakeWeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_wechat(**{"undecided_hours = 24": "undecided_hours = 0"})
    real, number = WeChatPay.read_binding, approved(site)
    site.bench.provider.faults.add(Fault("modify-settlement", "refuse_before"))
    site.commit(number)

    def hidden(self: WeChatPay, *given: object, **more: object) -> object:
        return replace(real(self, *given, **more), effective="*" * 19)  # type: ignore[arg-type]

    monkeypatch.setattr(WeChatPay, "read_binding", hidden)
    for _again in range(2):
        assert site.commit(number).code != 0
    assert site.account() == OLD_NUMBER
    assert site.run("receipt", "show", number).code != 0


@pytest.mark.req("R45")
def test_the_watch_sees_what_moved_without_an_order(make_wechat: MakeWeChat) -> None:
    ahead = [0.0]
    site = make_wechat(clock=lambda: time.time() + ahead[0])
    number = approved(site)
    site.commit(number).ok()
    assert _watch(site, ahead, hours=25) == [("same", "24 h")]
    assert _watch(site, ahead, hours=25) == []  # once
    with site.bench.ledger.locked() as ledger:
        ledger.merchants[MID].account = OLD_NUMBER
    assert _watch(site, ahead, hours=16 * 24) == [("moved", "360 h")]
    notices = site.run("outbox", "list").ok()["messages"]
    assert [n["key"] for n in notices][-1] == f"{number}:watch:360 h"


@pytest.mark.req("R45")
def test_the_watch_takes_an_order_that_failed_for_no_theft(
    make_wechat: MakeWeChat,
) -> None:
    """The provider shows the account that was refused, and not the one in force."""
    ahead = [0.0]
    site = make_wechat(
        Course(verifying=0.0, done=0.1),
        clock=lambda: time.time() + ahead[0],
        **{"days_between_changes = 7": "days_between_changes = 0"},
    )
    site.commit(approved(site)).ok()
    other = "6212345678900000003"
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[other] = replace(ledger.accounts[OLD_NUMBER], is_open=False)
    ran = site.run(
        "change", "run", "--typed", answers=(SUB, other, other, *ANSWERS[3:])
    )
    number = str(ran.ok()["order"])
    site.run("change", "approve", number, answers=("CALLED", other[-4:])).ok()
    assert site.commit(number).error["code"] == "provider.rejected"
    assert _watch(site, ahead, hours=25) == [("not offered", "24 h")]
    assert (
        len(site.run("outbox", "list").ok()["messages"]) == 2
    )  # the results, no alert


@pytest.mark.req("R45")
def test_the_watch_looks_after_the_first_settlement(make_wechat: MakeWeChat) -> None:
    """Before the first of the profile's hours: takings are paid out at 23:00."""
    ahead = [0.0]
    site = make_wechat(clock=lambda: time.time() + ahead[0])
    number = approved(site)
    site.commit(number).ok()
    at_work = office(site, timedelta())
    order = at_work.place.journal(number).order
    first = moments(at_work.place.profile, order)[0]
    assert first.name == "first settlement"
    assert f"{first.at.astimezone(BEIJING):%H:%M:%S}" == "23:00:00"
    hours = (first.at - datetime.now(UTC)) / timedelta(hours=1)
    assert _watch(site, ahead, hours=hours - 0.001) == []
    assert _watch(site, ahead, hours=hours + 0.001) == [("same", "first settlement")]
    assert _watch(site, ahead, hours=25) == [("same", "24 h")]


@pytest.mark.req("R45")
@pytest.mark.parametrize(
    ("effective", "first"),
    [
        ("2026-11-26T14:59:59.999Z", "2026-11-26T15:00:00.000Z"),
        ("2026-11-26T15:00:00.000Z", "2026-11-27T15:00:00.000Z"),  # 23:00 in Shanghai
        ("2026-11-26T23:30:00.000Z", "2026-11-27T15:00:00.000Z"),  # next local day
    ],
)
def test_the_first_settlement_is_the_next_one(
    wechat: Site, effective: str, first: str
) -> None:
    number = propose(wechat)
    at_work = office(wechat, timedelta())
    order = at_work.place.journal(number).order
    order = replace(order, effective_at=effective)
    due = {d.name: stamp(d.at) for d in moments(at_work.place.profile, order)}
    assert due["first settlement"] == first


def _watch(site: Site, ahead: list[float], *, hours: float) -> list[tuple[str, str]]:
    ahead[0] = hours * 3600.0
    seen = look_again(office(site, timedelta(hours=hours)))
    return [(item["verdict"], item["at"]) for item in seen]


# -- watching beside other orders ------------------------------------------------------


BACK = tuple(OLD_NUMBER if answer == NEW_NUMBER else answer for answer in ANSWERS)
OFTEN = {"days_between_changes = 7": "days_between_changes = 0"}


def approved_back(site: Site) -> str:
    """An order to the account that the merchant had before."""
    number = str(site.run("change", "run", "--typed", answers=BACK).ok()["order"])
    said = ("CALLED", OLD_NUMBER[-4:])
    site.run("change", "approve", number, answers=said).ok()
    return number


@pytest.mark.req("R45")
def test_what_an_order_of_ours_moved_and_nobody_read_yet_is_no_alarm(
    make_wechat: MakeWeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [0.0]
    site = make_wechat(clock=lambda: time.time() + ahead[0], **OFTEN)
    site.commit(approved(site)).ok()
    second = approved_back(site)

    def die(self: commit.Commit) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(commit.Commit, "read_back", die)
        with pytest.raises(KeyboardInterrupt):
            commit.commit(office(site, timedelta()), second, 5.0)
    assert (state(site, second), site.account()) == ("READBACK", OLD_NUMBER)
    ahead[0] = 25 * 3600.0
    (seen,) = look_again(office(site, timedelta(hours=25)))
    assert seen["verdict"] == "not offered"
    keys = [m["key"] for m in site.run("outbox", "list").ok()["messages"]]
    assert not any("watch" in key for key in keys)


@pytest.mark.req("R45")
def test_a_merchant_that_may_not_be_read_hides_no_other_that_moved(
    make_wechat: MakeWeChat,
) -> None:
    ahead = [0.0]
    site = make_wechat(clock=lambda: time.time() + ahead[0], **OFTEN)
    first = approved(site)
    site.commit(first).ok()
    of_merchant(site, first, "1900006499", "")
    second = approved_back(site)
    site.commit(second).ok()
    session = office(site, timedelta(hours=25))
    ahead[0] = 25 * 3600.0
    with pytest.raises(PosctlError) as failure:
        look_again(session)
    assert failure.value.params["order"] == first
    site.bench.ledger.change_account(MID, "6200000000000005", request=0)
    later = 25 + 24 * 15  # its next look
    ahead[0] = later * 3600.0
    found = look_again(office(site, timedelta(hours=later)))
    assert [(f["order"], f["verdict"]) for f in found] == [(second, "moved")]
    keys = [m["key"] for m in site.run("outbox", "list").ok()["messages"]]
    assert any(key.startswith(f"{second}:watch") for key in keys)


@pytest.mark.req("R45", "R46")
def test_notice_slip_and_receipt_say_the_same_of_the_old_account(wechat: Site) -> None:
    number = approved(wechat)
    wechat.commit(number).ok()
    (notice,) = wechat.run("outbox", "list").ok()["messages"]
    receipt = wechat.run("receipt", "show", number).ok()
    assert receipt["old"] and notice["old"] == receipt["old"]
    assert notice["result"] == receipt["result"] == "EFFECTIVE"
