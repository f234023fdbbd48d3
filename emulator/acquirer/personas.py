"""The personas that ChinaUMS publishes for its test environment.

A script that is written for them runs here unchanged: the cards, the signing code and
the amount of a penny drop are the published ones, and pictures are not checked. The
merchants' numbers and the companies' names are made up; a script has its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from emulator.acquirer.ledger import BankAccount, Ledger, Merchant
from emulator.acquirer.rules import Rules

INDIVIDUAL_CARD = "6225880011112222"
COMPANY_CARDS = ("6225880022221111", "6225880022223333")
SIGNING_CODE = "123456"
PENNY_FEN = 10
MIDS = ("898110054110101", "898110054110102", "898110054110103")
BRANCH = "102100099996"
_PRESENT = "6212345678901265"  # see docs/test-data.md
_PEOPLE = (
    ("何自助", "何自助", INDIVIDUAL_CARD),
    ("测试公司一", "测试法人一", COMPANY_CARDS[0]),
    ("测试公司二", "测试法人二", COMPANY_CARDS[1]),
)


def personas(ledger: Ledger, mids: Sequence[str] = MIDS) -> Rules:
    """Put the personas into the ledger; the rules of the test environment.

    Args:
        mids: the merchants' numbers: the individual business, the two companies. Any
            number that is no known card is a corporate account of such a company.
    """
    with ledger.locked():
        ledger.branches[BRANCH] = "中国工商银行总行"
        for mid, (name, operator, card) in zip(mids, _PEOPLE, strict=True):
            ledger.accounts[card] = BankAccount(card, operator)
            ledger.merchants[mid] = Merchant(mid, name, operator, _PRESENT, BRANCH)
    return Rules(
        penny=lambda: PENNY_FEN,
        signing_code=lambda: SIGNING_CODE,
        pictures_checked=False,
        any_corporate=frozenset(mids[1:]),
    )
