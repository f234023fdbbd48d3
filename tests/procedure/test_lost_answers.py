"""The host answers late, twice, wrongly, or not at all: which account is paid?

Each fault strikes one call of the commit. Whatever the command says then, `resume`
ends with exactly one signed application and the new account, or with the old one.
"""

from __future__ import annotations

import pytest
from world import MakeSite, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from emulator.faults import Fault

CALLS = ("complex_alter_acctinfo", "alter_sign", "alter_qry", "pic_upload")
ACTIONS = (
    *("drop_answer", "refuse_before", "reset", "duplicate_answer", "garbage"),
    "http_500",
)


def finish(site: Site, number: str) -> None:
    for _try in range(6):
        if site.commit(number).code == 0:
            return
    pytest.fail(f"never effective: {site.run('change', 'show', number).data}")


@pytest.mark.req("R37")
@pytest.mark.req("R41")
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_fault_in_the_commit_gives_one_effect(
    site: Site, call: str, action: str, times: int
) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault(call, action, times=times, body=b"{}"))
    first = site.commit(number)
    assert first.code in (0, 5, 8), first.err
    if first.code:
        assert f"posctl change resume {number}" in first.error["next"]
    finish(site, number)
    assert (site.account(), site.version(), site.signed()) == (NEW_NUMBER, 2, 1)


@pytest.mark.req("R41")
def test_a_lost_application_is_asked_again_and_stays_unsigned(site: Site) -> None:
    """Taken, but its number was lost: it is an orphan that takes no effect."""
    number = site.approved()
    site.bench.provider.faults.add(Fault("complex_alter_acctinfo", "drop_answer"))
    lost = site.commit(number)
    assert (lost.code, lost.error["code"]) == (8, "effect.unknown")
    finish(site, number)
    with site.bench.ledger.locked() as ledger:
        signed = [a.signed_at is not None for a in ledger.applications.values()]
    assert sorted(signed) == [False, True]


@pytest.mark.req("R37")
def test_a_lost_application_can_be_rolled_back(site: Site) -> None:
    number = site.approved()
    site.bench.provider.faults.add(Fault("complex_alter_acctinfo", "drop_answer"))
    assert site.commit(number).code == 8
    assert site.run("change", "rollback", number).ok()["state"] == "ROLLED_BACK"
    assert (site.account(), site.signed()) == (OLD_NUMBER, 0)


@pytest.mark.req("R37")
@pytest.mark.req("R41")
def test_a_lost_signature_cannot_be_rolled_back(site: Site) -> None:
    """It was done; the tool does not know it yet, and must not pretend."""
    number = site.approved()
    site.bench.provider.faults.add(Fault("alter_sign", "drop_answer"))
    lost = site.commit(number)
    assert (lost.code, lost.error["code"]) == (8, "effect.unknown")
    refused = site.run("change", "rollback", number)
    assert (refused.code, refused.error["code"]) == (7, "rollback.too_late")
    finish(site, number)
    assert site.version() == 2


@pytest.mark.req("R41")
def test_a_signature_that_may_still_arrive_bars_the_way_back(site: Site) -> None:
    """Cut before it was done: the probe says unsigned, yet it may be under way."""
    number = site.approved()
    faults = site.bench.provider.faults
    faults.add(Fault("alter_sign", "refuse_before"))
    assert site.commit(number).code == 8
    faults.add(Fault("alter_sign", "refuse_before"))
    assert site.commit(number).code == 8
    assert site.run("change", "rollback", number).error["code"] == "rollback.too_late"
    finish(site, number)
    assert (site.version(), site.signed()) == (2, 1)


@pytest.mark.req("R37")
def test_a_provider_that_is_down_changes_nothing(site: Site) -> None:
    number = site.approved()
    site.bench.provider.stop()
    down = site.commit(number)
    assert (down.code, down.error["code"]) == (5, "host.unreachable")
    assert site.run("orders", "show", number).ok()["state"] == "APPROVED"
    assert site.account() == OLD_NUMBER
    assert site.run("change", "rollback", number).ok()["state"] == "ROLLED_BACK"


@pytest.mark.req("R38")
def test_a_rejection_keeps_the_old_account(make_site: MakeSite) -> None:
    site = make_site(reject=True)
    number = site.approved()
    rejected = site.commit(number)
    assert (rejected.code, rejected.error["code"]) == (6, "provider.rejected")
    assert rejected.error["params"]["raw"] == "04"
    shown = site.run("orders", "show", number).ok()
    assert shown["state"] == "REJECTED"
    assert shown["reason"]
    assert (site.account(), site.version()) == (OLD_NUMBER, 1)
    for command in ("commit", "resume"):
        again = site.run("change", command, number)
        assert (again.code, again.error["code"]) == (7, "order.over")
    assert site.run("receipt", "show", number).error["code"] == "receipt.none"


@pytest.mark.req("R38")
def test_a_terminal_taken_from_the_merchant_meanwhile_is_noticed(site: Site) -> None:
    """Between approval and commit the provider moved the terminal elsewhere."""
    number = site.approved()
    with site.bench.ledger.locked() as ledger:
        (record,) = ledger.terminals.values()
        ledger.terminals["11999999"] = record
        del ledger.terminals[record.tid]
        record.tid = "11999999"
    moved = site.commit(number)
    assert (moved.code, moved.error["code"]) == (7, "look.mismatch")
    assert site.account() == OLD_NUMBER


@pytest.mark.req("R3")
def test_an_account_that_moved_meanwhile_is_a_conflict(site: Site) -> None:
    """Somebody else changed it: the provider's exact match of the old one fails."""
    number = site.approved()
    other = "6200000000000005"
    site.bench.ledger.change_account(site_mid(site), other, request=0)
    refused = site.commit(number)
    assert refused.code == 6
    assert site.run("orders", "show", number).ok()["state"] == "REJECTED"
    assert site.account() == other


def site_mid(site: Site) -> str:
    with site.bench.ledger.locked() as ledger:
        return next(iter(ledger.merchants))


@pytest.mark.req("R2")
@pytest.mark.req("R38")
def test_a_terminal_that_shows_a_third_account_is_caught(site: Site) -> None:
    number = site.approved()
    site.commit(number).ok()
    site.bench.ledger.change_account(site_mid(site), OLD_NUMBER[:-1] + "4", request=6)
    confirmed = site.confirm(number)
    assert confirmed.error["code"] == "terminal.third_account"
    assert site.run("orders", "show", number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R11")
def test_settlement_is_never_silent(site: Site) -> None:
    number = site.approved()
    site.commit(number).ok()
    port = ["--port", site.bench.port]
    declined = site.run("change", "confirm", number, *port, answers=["no"])
    assert (declined.code, site.bench.terminal.core.batch) == (3, 1)
    assert "158.00 yuan" in declined.err
    assert site.bench.terminal.core.count == 3
    assert site.confirm(number).ok()["state"] == "CLOSED"
