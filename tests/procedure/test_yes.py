"""``--yes`` stands for the word of a decision, and for no check (R44)."""

from __future__ import annotations

import pytest
from procedures import payload, state
from world import RUN_ANSWERS, Site

from emulator.bench import NEW_NUMBER
from emulator.card.applet import DEBIT_CARD
from emulator.card.hierarchy import hierarchy

pytestmark = pytest.mark.req("R44")


@pytest.mark.parametrize("said", [(), ("--yes",), ("-y",)])
def test_the_screen_is_shown_all_the_same_and_the_log_says_who_was_not_asked(
    site: Site, said: tuple[str, ...]
) -> None:
    answers = RUN_ANSWERS[:-1] if said else RUN_ANSWERS
    ran = site.run("change", "run", *site.means(), *said, answers=answers)
    number = str(ran.ok()["order"])
    assert "Typing the word accepts fee and terms" in ran.err
    assert "621626*********0018" in ran.err
    assert ("CHANGE was not asked for: --yes" in ran.err) is bool(said)
    assert payload(site, number, "order.proposed")["word_typed"] is not bool(said)


def test_a_resumed_order_may_be_proposed_so(site: Site) -> None:
    ran = site.run("change", "run", *site.means(), answers=RUN_ANSWERS[:-1])
    number = str(ran.error["params"]["order"])
    assert state(site, number) == "BACKED_UP"
    done = site.run("change", "propose", number, *site.means(), "--yes")
    assert done.ok()["state"] == "PROPOSED"


def test_what_is_asked_to_compare_it_is_asked(site: Site) -> None:
    wrong = (NEW_NUMBER,) * 3
    ran = site.run("change", "run", *site.means(), "--yes", answers=wrong)
    assert ran.error["code"] == "person.no_answer" and "not the account that" in ran.err


def test_a_chip_that_fails_its_proof_is_refused(site: Site) -> None:
    site.bench.slot.insert(hierarchy().personalise(DEBIT_CARD, "dda", "forged"))
    answers = RUN_ANSWERS[:-1]
    ran = site.run("change", "run", *site.means(), "--yes", answers=answers)
    assert ran.error["code"] == "card.proof_failed"


def test_settling_is_asked_for_at_the_terminal(site: Site) -> None:
    number = site.approved()
    site.commit(number).ok()
    port = ["--port", site.bench.port]
    ran = site.run("change", "resume", number, *port, "--yes", answers=["no"])
    assert ran.error["code"] == "settle.declined"
    assert site.run("orders", "show", number).ok()["terminal"] == "pending"


@pytest.mark.parametrize(
    "command", ["change approve", "change confirm", "change cancel", "terminal settle"]
)
def test_who_answers_for_what_he_saw_has_no_such_option(
    site: Site, command: str
) -> None:
    ran = site.run(*command.split(), "--yes")
    assert ran.code == 2 and "'--yes'" in ran.error["text"]
