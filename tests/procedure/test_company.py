"""A company's account is proved by the penny drop; what only the merchant can do."""

from __future__ import annotations

import pytest
from procedures import (
    CORPORATE,
    Changed,
    company,
    state,
)
from world import Ran, Site

from emulator.bench import OLD_NUMBER


@pytest.mark.req("R18")
@pytest.mark.req("R29")
def test_a_companys_account_is_proved_by_the_penny_drop(site: Site) -> None:
    number = company(site)
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
    number = company(site)
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
    number = company(site)
    site.commit(number)
    for _try in range(5):
        site.run("change", "amount", number, answers=["9.99"])
    ended = site.run("change", "resume", number)
    assert (ended.code, ended.error["code"]) == (6, "provider.rejected")
    assert (state(site, number), site.account()) == ("REJECTED", OLD_NUMBER)


@pytest.mark.req("R29")
@pytest.mark.req("R37")
def test_a_penny_drop_can_be_rolled_back(site: Site) -> None:
    number = company(site)
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
