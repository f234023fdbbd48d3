"""What nothing settles about a card is the approver's: R20, R21, R26."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from procedures import NAMED, Changed, payload, proposed, state
from world import RUN_ANSWERS, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from emulator.card.applet import DEBIT_CARD, CardProfile
from emulator.card.hierarchy import hierarchy

DIGITS = NEW_NUMBER[-4:]
UNKNOWN_AID, WRONG_LUHN = "A000000333010108", "6222040000030012"


def insert(site: Site, profile: CardProfile, wrong: str = "") -> None:
    site.bench.slot.insert(hierarchy().personalise(profile, "dda", wrong))


def doubtful(site: Site, **changes: object) -> tuple[str, str]:
    """An order for such a card; its number, and the card's last four digits."""
    card = replace(DEBIT_CARD, **changes)  # type: ignore[arg-type]  # its own fields
    insert(site, card)
    return proposed(site), card.number[-4:]


# Published test numbers that no row of the shipped table knows.
CASES = {
    "kind": ({"aid": UNKNOWN_AID, "number": "8171999900000000021"}, ["KIND"]),
    "check_digit": ({"number": WRONG_LUHN}, ["DIGIT"]),
    "both": ({"aid": UNKNOWN_AID, "number": WRONG_LUHN}, ["KIND", "DIGIT"]),
}


@pytest.mark.req("R20", "R21")
@pytest.mark.parametrize("case", CASES)
def test_each_doubt_needs_a_word_of_its_own(site: Site, case: str) -> None:
    changes, words = CASES[case]
    number, digits = doubtful(site, **changes)
    for at in range(len(words)):
        answers = [*words[:at], "no", digits]
        refused = site.run("change", "approve", number, answers=answers)
        assert refused.error["code"] == "doubt.not_accepted"
        assert state(site, number) == "PROPOSED"
    silent = site.run("change", "approve", number, answers=[digits])
    assert silent.error["code"] == "doubt.not_accepted"
    done = site.run("change", "approve", number, answers=[*words, digits])
    assert done.ok()["state"] == "APPROVED"
    accepted = payload(site, number, "order.approved", office=True)["accepted"]
    doubts = {"KIND": "kind", "DIGIT": "check_digit"}
    assert accepted == {doubts[word]: "wang" for word in words}
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R20", "R21")
def test_without_a_doubt_no_word_is_asked(site: Site) -> None:
    number = proposed(site)
    site.approve(number).ok()
    assert payload(site, number, "order.approved", office=True)["accepted"] == {}


@pytest.mark.req("R20", "R21", "R30")
def test_a_checker_elsewhere_is_shown_them_and_his_signature_covers_them(
    site: Site, tmp_path: Path
) -> None:
    number, digits = doubtful(site, aid=UNKNOWN_AID, number=WRONG_LUHN)
    refused = site.run("approval", "request", number, answers=["KIND", "no"])
    assert refused.error["code"] == "doubt.not_accepted"
    asked = site.run("approval", "request", number, answers=["KIND", "DIGIT"])
    request, answer = tmp_path / "request", tmp_path / "answer"
    text = asked.ok()["text"]
    assert len(text) <= 400
    request.write_text(text)
    signed = site.run("approval", "sign", str(request), answers=[digits])
    shown = " ".join(signed.err.split())
    assert "number chip; check digit WRONG" in shown
    assert "kind unknown (by: BIN table)" in shown
    answer.write_text(signed.ok()["text"])
    taken = site.run("approval", "take", number, str(answer))
    assert taken.ok()["state"] == "APPROVED"
    accepted = payload(site, number, "order.approved", office=True)["accepted"]
    assert accepted == {"kind": "wang", "check_digit": "wang"}


@pytest.mark.req("R24")
def test_a_clone_with_one_recorded_answer_is_no_account(site: Site) -> None:
    insert(site, DEBIT_CARD, "constant challenge")
    ran = site.run("change", "run", *site.means(), answers=RUN_ANSWERS)
    assert ran.error["code"] == "card.proof_failed"
    assert ran.error["params"]["reason"] == "DDOL"


# -- where the name is from ------------------------------------------------------------


def cut_in_two(card: CardProfile) -> CardProfile:
    name = card.holder.encode("gb18030")
    extra = {"5F20": name[:3].hex(), "9F0B": name[3:].hex()}
    return hierarchy().personalise(replace(card, extra=extra))


@pytest.mark.req("R26")
@pytest.mark.parametrize(
    ("made", "words", "told"),
    [
        (hierarchy().personalise, [], "from the chip, signed"),
        (
            lambda card: hierarchy().personalise(card, "none"),
            ["CHIP"],
            "from the chip, which does not sign it",
        ),
        (cut_in_two, ["NAME"], "from the chip, put together of two parts"),
    ],
)
def test_the_approver_sees_how_the_name_became_known(
    changed: Changed,
    made: Callable[[CardProfile], CardProfile],
    words: list[str],
    told: str,
) -> None:
    card = replace(DEBIT_CARD, holder="全渠道")
    site = changed({'    "identity", "old_account", "office_caps",\n': NAMED})
    site.bench.slot.insert(made(card))
    number = proposed(site)
    done = site.run("change", "approve", number, answers=[*words, DIGITS])
    assert done.ok()["state"] == "APPROVED"
    assert f"name      全渠道 ({told})" in done.err
