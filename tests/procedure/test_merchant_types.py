"""What depends on the merchant: its documents, its owner's papers, its takings, the
name of its account (R7, R13, R17, R26)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from procedures import (
    CORPORATE,
    STEPS,
    Changed,
    company,
    office,
    payload,
    proposed,
    register,
    shown,
    state,
)
from world import RUN_ANSWERS, Ran, Site

from emulator.bench import MID, NEW_NUMBER, OLD_NUMBER
from posctl.model.errors import CheckFailed, UsageError
from posctl.office import commit
from posctl.store.profiles import example, parse

BEFORE = '    "documents", "caps",\n'
ELIGIBILITY = {BEFORE: f'    "eligibility",\n{BEFORE}'}
TYPES = "[account.types]"


def run(site: Site, *more: str) -> Ran:
    return site.run("change", "run", *site.means(), *more, answers=RUN_ANSWERS)


# -- documents ---------------------------------------------------------------------

SHOP = (
    '[[documents]]\nkind = "0099"\nlabel = "licence / 营业执照"\n'
    'merchants = ["individual"]\n\n[pictures]'
)


@pytest.mark.req("R7")
@pytest.mark.parametrize(
    ("subject", "wanted"), [("individual", True), ("micro", False)]
)
def test_documents_are_those_of_the_merchants_type(
    changed: Changed, subject: str, wanted: bool
) -> None:
    site = changed({**ELIGIBILITY, "[pictures]": SHOP})
    register(site, MID, "--subject", subject)
    ran = run(site)
    if not wanted:
        assert ran.ok()["state"] == "PROPOSED"
        return
    assert (ran.code, ran.error["code"]) == (7, "document.missing")
    assert ran.error["params"]["kind"] == "0099"


@pytest.mark.req("R7", "R11")
def test_a_type_that_changed_wants_its_own_documents(changed: Changed) -> None:
    site = changed({**ELIGIBILITY, "[pictures]": SHOP})
    register(site, MID, "--subject", "micro")
    number = site.approved()
    register(site, MID, "--subject", "individual")
    with pytest.raises(CheckFailed, match=r"document\.merchant"):
        commit.commit(office(site, timedelta()), number, 1.0)
    assert (state(site, number), site.account()) == ("APPROVED", OLD_NUMBER)


@pytest.mark.req("R7")
def test_the_checklist_is_the_merchants(site: Site) -> None:
    ask = ("change", "checklist", "--profile", "chinaums", "--subject")
    assert site.run(*ask, "enterprise").ok()["accounts_allowed"] == ["corporate"]
    listed = site.run(*ask, "individual").ok()
    assert listed["accounts_allowed"] == ["card", "corporate"]
    assert listed["cooling_hours_other_holder"] == 72
    assert listed["days_after_phone_change"] == 3
    assert listed["holidays"] == ["2027-01-01 - 2027-01-03"]


# -- the owner's papers ------------------------------------------------------------

PAPERS = {**ELIGIBILITY, TYPES: f'papers = ["resident", "hkmt"]\n\n{TYPES}'}


@pytest.mark.req("R13")
@pytest.mark.parametrize(
    ("papers", "code"),
    [
        ((), "eligibility.no_papers"),
        (("--papers", "passport"), "eligibility.papers"),
        (("--papers", "hkmt"), None),
    ],
)
def test_the_owners_document_limits_what_may_be_done(
    changed: Changed, papers: tuple[str, ...], code: str | None
) -> None:
    site = changed(PAPERS)
    register(site, MID, *papers)
    ran = run(site)
    if code is None:
        assert ran.ok()["state"] == "PROPOSED"
    else:
        assert (ran.code, ran.error["code"]) == (7, code)
        assert site.account() == OLD_NUMBER


@pytest.mark.req("R13", "R11")
def test_papers_that_changed_meanwhile(changed: Changed) -> None:
    site = changed(PAPERS)
    register(site, MID, "--papers", "resident")
    number = site.approved()
    register(site, MID, "--papers", "passport")
    with pytest.raises(CheckFailed, match=r"eligibility\.papers"):
        commit.commit(office(site, timedelta()), number, 1.0)
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R4")
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (TYPES, f"least_age = 18\n\n{TYPES}", "account.least_age"),
        (TYPES, f'papers = ["resident"]\n\n{TYPES}', "account.papers"),
        ("[pictures]", SHOP, "documents.merchants"),
    ],
)
def test_a_rule_that_no_step_looks_at_is_no_rule(
    old: str, new: str, reason: str
) -> None:
    with pytest.raises(UsageError) as refused:
        parse(example("emulator").replace(old, new), source="-")
    assert reason in str(refused.value.params["reason"])


# -- receiving limit against takings -------------------------------------------------


@pytest.mark.req("R17")
@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ((), ["may receive as much"]),
        (("--receiving-limit", "3499.99"), ["the bank may send back"]),
        (("--receiving-limit", "3500"), []),
        (
            ("--receiving-limit", "100:2027-06-30"),
            ["the bank may send back", "ends on 2027-06-30"],
        ),
    ],
)
def test_the_limit_is_held_against_the_takings_and_stops_nobody(
    changed: Changed, limit: tuple[str, ...], said: list[str]
) -> None:
    site = changed({})
    register(site, MID, "--turnover", "3500.00")
    ran = run(site, *limit)
    number = str(ran.ok()["order"])
    advised = [line for line in ran.err.splitlines() if "advice: " in line]
    assert len(advised) == len(said)
    assert all(text in line for text, line in zip(said, advised, strict=True))
    kept = payload(site, number, "order.proposed")
    assert kept["turnover"] == "3500.00"
    assert bool(kept["receiving_limit"]) is bool(limit)
    site.approve(number).ok()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    assert site.account() == NEW_NUMBER


@pytest.mark.req("R17")
def test_a_limit_that_was_told_is_remembered_when_the_order_goes_on(
    changed: Changed,
) -> None:
    site = changed({})
    register(site, MID, "--turnover", "3500.00")
    told = ("--receiving-limit", "100:2027-06-30")
    answers = (*RUN_ANSWERS[:-1], "no")
    stopped = site.run("change", "run", *site.means(), *told, answers=answers)
    number = stopped.error["params"]["order"]
    resumed = site.run("change", "resume", number, *site.means(), answers=["CHANGE"])
    assert "ends on 2027-06-30" in resumed.err
    kept = payload(site, number, "order.proposed")["receiving_limit"]
    assert kept == "100.00:2027-06-30"


@pytest.mark.parametrize("text", ["-1", "1,5", "5:2027-02-30", "5:", "5.123", "１"])
def test_a_limit_that_is_none_is_refused(site: Site, text: str) -> None:
    refused = site.run("change", "run", *site.means(), f"--receiving-limit={text}")
    assert (refused.code, refused.error["code"]) == (2, "usage")


# -- the account's name --------------------------------------------------------------

NAMED = {STEPS: STEPS.rstrip() + ' "same_name",\n'}


@pytest.mark.req("R26", "R18")
def test_the_name_of_a_companys_account_is_asked_and_compared(changed: Changed) -> None:
    site = changed(NAMED)
    number = company(site, "小面馆")
    approved = payload(site, number, "order.approved", office=True)["steps"]
    assert isinstance(approved, dict)
    assert approved["same_name"] == {"grade": "EQUAL", "by": "typed"}
    assert CORPORATE[-4:] in shown(site, number)["new"]


@pytest.mark.req("R26")
@pytest.mark.parametrize(("limit", "fits"), [(6, True), (5, False)])
def test_a_name_is_never_cut(changed: Changed, limit: int, fits: bool) -> None:
    """The card's 全渠道 has six bytes in GB 18030."""
    site = changed({TYPES: f"name_bytes = {limit}\n\n{TYPES}"})
    ran = site.propose()
    if fits:
        ran.ok()
    else:
        assert (ran.code, ran.error["code"]) == (7, "name.long")
        assert ran.error["params"]["size"] == "6"


@pytest.mark.req("R15", "R30")
def test_the_approver_sees_who_acted_for_the_merchant(changed: Changed) -> None:
    site = changed({BEFORE: f'    "mandate",\n{BEFORE}'})
    register(site, MID, "--mandate", "李四:2099-01-01")
    number = str(run(site, "--agent", "李四").ok()["order"])
    assert "for the merchant: 李四" in site.approve(number).err
    assert "for the merchant: -" not in site.approve(number).err


@pytest.mark.req("R30")
def test_without_an_agent_the_owner_acts(site: Site) -> None:
    assert "for the merchant: -" in site.approve(proposed(site)).err
