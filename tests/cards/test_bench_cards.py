"""Each card of `posctl emulate --card`, and what it meets."""

from __future__ import annotations

import pytest
from world import MakeSite

from emulator.bench import CARDS

MET = {
    "debit": "genuine",
    "same": "genuine",
    "unproved": "offers nothing",
    "copyable": "unaltered, copyable",
    "none": "card.none",
    "credit": "card.kind_refused",
    "quasi-credit": "card.kind_refused",
    "cash": "card.kind_refused",
    "foreign": "card.foreign",
    "token": "card.token",
    "expired": "card.expired",
    "contactless": "card.contactless",
    "forged": "card.proof_failed",
    "blocked": "card.blocked",
    "blocked-card": "card.blocked",
    "several": "genuine",
    "unknown-kind": "genuine",
    "wrong-digit": "genuine",
    "no-payment": "card.not_payment",
    "mute": "card.mute",
}


@pytest.mark.req("R20", "R22", "R24")
@pytest.mark.parametrize("card", CARDS)
def test_what_each_card_meets(
    make_site: MakeSite, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posctl.cli.card._CARD_SECONDS", 1.0)
    site = make_site(card=card)
    ran = site.run("card", "show", "--reader", site.bench.reader, "--wait-card", "0")
    met = ran.error["code"] if ran.code else ran.ok()["chip_grade"]
    assert met == MET[card]


@pytest.mark.req("R20", "R21")
@pytest.mark.parametrize(
    ("card", "kind", "check_digit"),
    [
        ("several", "debit", True),
        ("unknown-kind", "unknown", True),
        ("wrong-digit", "debit", False),
    ],
)
def test_what_a_card_that_is_read_is(
    make_site: MakeSite, card: str, kind: str, check_digit: bool
) -> None:
    site = make_site(card=card)
    shown = site.run("card", "show", "--reader", site.bench.reader).ok()
    assert (shown["kind"], shown["check_digit"]) == (kind, check_digit)
    count = 3 if card == "several" else 1
    assert len(shown["applications"]) == count
