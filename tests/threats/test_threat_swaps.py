"""Terminal, card and pictures exchanged between one step and the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attacks import SAME_MASK, approve, nothing_changes, refused, rows
from procedures import state
from world import BRANCH, MOBILE, RUN_ANSWERS, MakeSite, Site

from emulator.bench import CREDIT_NUMBER, NEW_NUMBER, OLD_NUMBER
from emulator.card.applet import CardProfile
from posctl.store.home import Home
from posctl.store.keys import load_operator

DECLINED = [*RUN_ANSWERS[:-1], "no"]


def other_terminal(site: Site, **changed: str) -> None:
    """Another device at the same line."""
    core = site.bench.terminal.core
    for name, value in changed.items():
        object.__setattr__(core if name == "tid" else core.config, name, value)


@pytest.mark.req("R2")
@pytest.mark.parametrize(
    "changed",
    [{"serial": "0820009999"}, {"tid": "11000002"}],
    ids=["serial", "TID"],
)
def test_another_terminal_between_look_and_proposal(
    site: Site, changed: dict[str, str]
) -> None:
    site.run("change", "run", *site.means(), answers=DECLINED)
    (order,) = site.run("orders", "list").ok()["orders"]
    other_terminal(site, **changed)
    resume = ("change", "resume", order["order"], *site.means())
    with nothing_changes(site):
        ran = site.run(*resume, answers=["CHANGE"])
        assert ran.error["code"] in ("look.other_terminal", "look.mismatch")


@pytest.mark.req("R2")
@pytest.mark.req("R38")
def test_another_terminal_between_commit_and_confirmation(site: Site) -> None:
    """The change stands; the order stays open until the right one shows it."""
    number = site.approved()
    site.commit(number).ok()
    site.run("orders", "list").ok()
    other_terminal(site, serial="0820009999")
    with nothing_changes(site):
        refused(site.confirm(number), "look.other_terminal")
    assert state(site, number) == "EFFECTIVE"


@pytest.mark.req("R3")
def test_another_card_after_the_chip_was_read(site: Site) -> None:
    """Its number was sealed when it was read: what lies in the reader later counts for
    nothing, and the numbers in the file are those that were approved."""
    site.run("change", "run", *site.means(), answers=DECLINED)
    (order,) = site.run("orders", "list").ok()["orders"]
    site.bench.slot.insert(CardProfile(SAME_MASK, holder="全渠道"))
    number = order["order"]
    resume = ("change", "resume", number, *site.means())
    site.run(*resume, answers=["CHANGE"]).ok()
    approve(site, number).ok()
    site.commit(number).ok()
    assert site.account() == NEW_NUMBER


@pytest.mark.req("R18")
@pytest.mark.req("R30")
def test_a_typed_number_of_another_card_with_the_same_mask(site: Site) -> None:
    """The approver is told that nobody read a chip; the provider, whose bank has no
    such account in this name, refuses it."""
    answers = [SAME_MASK, SAME_MASK, OLD_NUMBER, BRANCH, MOBILE, "CHANGE"]
    ran = site.run("change", "run", "--typed", *site.means(), answers=answers)
    number = str(ran.ok()["order"])
    shown = approve(site, number)
    shown.ok()
    assert "typed twice" in shown.err
    refused(site.commit(number), "provider.rejected", 6)
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R20")
def test_a_credit_card_put_in_for_the_second_run(make_site: MakeSite) -> None:
    """A card that was not read yet is read when its turn comes, and judged then."""
    site = make_site(card="none")
    means = site.means()
    none = site.run("change", "run", *means, answers=RUN_ANSWERS)
    assert none.code != 0
    (order,) = site.run("orders", "list").ok()["orders"]
    site.bench.slot.insert(
        CardProfile(CREDIT_NUMBER, holder="全渠道", aid="A000000333010102")
    )
    resume = ("change", "resume", order["order"], *means)
    refused(site.run(*resume, answers=RUN_ANSWERS), "card.kind_refused")
    assert state(site, order["order"]) == "BACKED_UP"


@pytest.mark.req("R7")
def test_a_picture_exchanged_between_check_and_sealing(site: Site) -> None:
    site.run("change", "run", *site.means(), answers=DECLINED)
    (order,) = site.run("orders", "list").ok()["orders"]
    (site.bench.pictures / "0025.jpg").write_bytes(b"\xff\xd8\xffanother")
    resume = ("change", "resume", order["order"], *site.means())
    before = len(rows(site))
    refused(site.run(*resume, answers=["CHANGE"]), "document.changed")
    assert len(rows(site)) == before + 1  # proposed; not sent
    assert not list((site.home / "office" / "inbox").glob("*"))


@pytest.mark.req("R2")
def test_a_terminal_list_of_another_merchant(site: Site) -> None:
    """Signed, but not of this one; and one that a technician signs."""
    path = next((site.home / "field" / "terminals").glob("*.json"))
    data = json.loads(path.read_text())
    for name, code in (("wang", "list.damaged"), ("li", "signature.role")):
        who = load_operator(Home(site.home).operators, name, None)
        body = {**data["body"], "mid": "898110054110009"}
        told = {"body": body, "proof": who.sign("terminal list", body)}
        path.write_text(json.dumps(told))
        with nothing_changes(site):
            refused(site.propose(), code)


def test_an_order_that_is_swapped_in_the_inbox(site: Site, sent: Path) -> None:
    """Under another order's name: what counts is inside."""
    number = json.loads(sent.read_text())["body"]["order"]
    inbox = site.home / "office" / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "AAAA-22222.posctl-order").write_bytes(sent.read_bytes())
    refused(approve(site, "AAAA-22222"), "order.missing", 2)
    assert proposed_in(site) == number


def proposed_in(site: Site) -> str:
    (order,) = site.run("orders", "list").ok()["orders"]
    return str(order["order"])
