"""Accounts of Class II, where the provider takes none (R13)."""

from __future__ import annotations

import pytest
from procedures import CORPORATE, STEPS, Changed, company, proposed, shown, state
from world import Ran, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.model.errors import UsageError
from posctl.providers import is_lesser_class
from posctl.store.profiles import example, parse

ASKED = {
    STEPS: STEPS.rstrip() + ' "account_class",\n',
    "[account.types]": 'classes = ["I"]\n\n[account.types]',
}


def approve(site: Site, number: str, *answers: str) -> Ran:
    return site.run("change", "approve", number, answers=answers)


@pytest.mark.req("R13", "R27")
@pytest.mark.parametrize("told", ["I", "1", "Ⅰ", " i "])
def test_class_one_as_the_approver_reads_it(changed: Changed, told: str) -> None:
    site = changed(ASKED)
    number = proposed(site)
    approve(site, number, told, NEW_NUMBER[-4:]).ok()
    site.commit(number).ok()
    assert site.account() == NEW_NUMBER


@pytest.mark.req("R13")
@pytest.mark.parametrize(("told", "meant"), [("II", "II"), ("Ⅱ", "II"), ("3", "III")])
def test_a_lesser_class_is_refused_before_the_provider_hears_of_it(
    changed: Changed, told: str, meant: str
) -> None:
    site = changed(ASKED)
    number = proposed(site)
    refused = approve(site, number, told, NEW_NUMBER[-4:])
    assert (refused.code, refused.error["code"]) == (7, "account.class")
    assert refused.error["params"]["account_class"] == meant
    assert state(site, number) == "PROPOSED" and site.account() == OLD_NUMBER
    with site.bench.ledger.locked() as ledger:
        assert ledger.applications == {}


@pytest.mark.req("R13")
@pytest.mark.parametrize("told", [(), ("IV", "0", "one")])
def test_a_class_that_nobody_tells_is_not_guessed(
    changed: Changed, told: tuple[str, ...]
) -> None:
    site = changed(ASKED)
    refused = approve(site, proposed(site), *told)
    assert (refused.code, refused.error["code"]) == (7, "account.class_unknown")


@pytest.mark.req("R4", "R13")
def test_which_classes_are_taken_is_the_profiles(changed: Changed) -> None:
    both = {"[account.types]": 'classes = ["I", "II"]\n\n[account.types]'}
    site = changed({**ASKED, **both})
    approve(site, proposed(site), "II", NEW_NUMBER[-4:]).ok()


@pytest.mark.req("R13")
def test_a_companys_account_has_no_class(changed: Changed) -> None:
    site = changed(ASKED)
    number = company(site)  # answers the last four digits only
    assert state(site, number) == "APPROVED"
    assert CORPORATE[-4:] in shown(site, number)["new"]


@pytest.mark.req("R13")
def test_the_step_needs_classes() -> None:
    text = example("chinaums").replace('classes = ["I"]', "")
    with pytest.raises(UsageError) as refused:
        parse(text, source="-")
    assert "account.classes" in str(refused.value.params["reason"])


@pytest.mark.req("R13")
def test_a_provider_that_refuses_the_class_is_told_apart(site: Site) -> None:
    """The profile asks nothing; the provider says it itself."""
    with site.bench.ledger.locked() as ledger:
        ledger.accounts[NEW_NUMBER].account_class = "II"
    number = site.approved()
    refused = site.commit(number)
    assert (refused.code, refused.error["code"]) == (6, "provider.account_class")
    assert "II类" in refused.error["params"]["reason"]
    assert state(site, number) == "REJECTED" and site.account() == OLD_NUMBER


@pytest.mark.req("R13")
@pytest.mark.parametrize(
    ("reason", "is_class"),
    [
        ("不支持二类户", True),
        ("Ⅱ类账户不能收款", True),
        ("结算账户为 III 类户", True),
        ("2类户", True),
        ("证件类型不符", False),
        ("第12类商户", False),
        ("VII类", False),
        ("", False),
    ],
)
def test_words_that_speak_of_a_class(reason: str, is_class: bool) -> None:
    assert is_lesser_class(reason) is is_class
