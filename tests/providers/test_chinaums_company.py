"""A corporate account is proved by an amount that only its holder can read."""

from __future__ import annotations

import pytest
from provider_world import CORPORATE, MID, OLD, World, soon

from emulator.faults import Fault
from posctl.model.errors import LinkFailed, Refused, UsageError
from posctl.providers import Need, Progress
from protocols.sensitive import AccountNumber

ACCOUNT = AccountNumber(CORPORATE)
HOURS = 3600.0


@pytest.fixture
def application(world: World) -> str:
    return world.applied(new=CORPORATE, pictures=())


def paid(world: World, application: str) -> int:
    world.provider.request_payment(application, ACCOUNT, soon())
    return world.service.account_change.penny_drop(application)


def refusal(world: World, application: str, fen: int | None = None) -> Refused:
    """Of a report of ``fen``, or of another payment."""
    with pytest.raises(Refused) as caught:
        if fen is None:
            world.provider.request_payment(application, ACCOUNT, soon())
        else:
            world.provider.report_payment(application, ACCOUNT, fen, soon())
    assert CORPORATE not in str(caught.value)
    return caught.value


def status(world: World, application: str) -> tuple[str, Need]:
    found = world.provider.query(MID, application, soon())
    return found.raw, found.need


@pytest.mark.req("R29")
@pytest.mark.req("R35")
def test_the_whole_course_of_a_company(world: World, application: str) -> None:
    assert status(world, application) == ("05", Need.PENNY_DROP)
    amount = paid(world, application)
    wrong = refusal(world, application, amount + 1)
    assert (wrong.code, wrong.raw) == ("provider.penny_wrong", "2000")
    assert "4 tries left" in str(wrong.params["text"])
    world.provider.report_payment(application, ACCOUNT, amount, soon())
    assert status(world, application) == ("00", Need.SIGNING)
    world.provider.sign(application, soon())
    assert status(world, application) == ("01", Need.NOTHING)
    world.clock.now = 180
    assert status(world, application) == ("03", Need.NOTHING)
    assert world.account == CORPORATE


@pytest.mark.req("R29")
def test_another_payment_is_to_be_had_after_four_hours(
    world: World, application: str
) -> None:
    paid(world, application)
    for at in (0.0, 4 * HOURS - 1):
        world.clock.now = at
        early = refusal(world, application)
        assert (early.code, early.raw) == ("provider.penny_early", "1057")
    for _ in range(4):
        refusal(world, application, 100)
    world.clock.now = 4 * HOURS
    again = paid(world, application)
    assert "4 tries left" in str(refusal(world, application, 100).params["text"])
    world.provider.report_payment(application, ACCOUNT, again, soon())
    assert status(world, application) == ("00", Need.SIGNING)


@pytest.mark.req("R29")
def test_the_four_hours_are_the_accounts(world: World, application: str) -> None:
    paid(world, application)
    other = world.applied("A2", new=CORPORATE, pictures=())
    assert refusal(world, other).code == "provider.penny_early"
    assert refusal(world, other, 100).code == "provider.penny_wrong"
    world.clock.now = 4 * HOURS
    amount = paid(world, other)
    world.provider.report_payment(other, ACCOUNT, amount, soon())
    assert (status(world, other)[0], status(world, application)[0]) == ("00", "05")


@pytest.mark.req("R29")
def test_the_fifth_wrong_amount_ends_it(world: World, application: str) -> None:
    amount = paid(world, application)
    for _ in range(5):
        assert status(world, application) == ("05", Need.PENNY_DROP)
        assert refusal(world, application, 100).code == "provider.penny_wrong"
    ended = world.provider.query(MID, application, soon())
    assert (ended.raw, ended.progress) == ("04", Progress.REJECTED)
    refusal(world, application, amount)
    assert world.account == OLD


def test_what_is_no_amount_is_not_sent(world: World, application: str) -> None:
    paid(world, application)
    for fen in (0, -1):
        with pytest.raises(UsageError) as caught:
            world.provider.report_payment(application, ACCOUNT, fen, soon())
        assert caught.value.code == "provider.penny_amount"
    assert "4 tries left" in str(refusal(world, application, 100).params["text"])


@pytest.mark.req("R41")
@pytest.mark.parametrize("done", [False, True])
def test_a_lost_answer_to_the_right_amount(
    world: World, application: str, done: bool
) -> None:
    amount = paid(world, application)
    action = "drop_answer" if done else "refuse_before"
    world.service.faults.add(Fault("company_account_verify", action))
    with pytest.raises(LinkFailed) as caught:
        world.provider.report_payment(application, ACCOUNT, amount, soon())
    assert caught.value.params["sent"] is True
    assert status(world, application)[0] == ("00" if done else "05")


def test_a_lost_answer_to_a_wrong_amount_costs_a_try(
    world: World, application: str
) -> None:
    paid(world, application)
    world.service.faults.add(Fault("company_account_verify", "drop_answer"))
    with pytest.raises(LinkFailed):
        world.provider.report_payment(application, ACCOUNT, 100, soon())
    assert "3 tries left" in str(refusal(world, application, 100).params["text"])


def test_a_payment_whose_answer_was_lost_is_under_way(
    world: World, application: str
) -> None:
    world.service.faults.add(Fault("request_account_verify", "drop_answer"))
    with pytest.raises(LinkFailed):
        world.provider.request_payment(application, ACCOUNT, soon())
    assert refusal(world, application).code == "provider.penny_early"
    amount = world.service.account_change.penny_drop(application)
    world.provider.report_payment(application, ACCOUNT, amount, soon())
    assert status(world, application)[0] == "00"


@pytest.mark.parametrize("call", ["request_payment", "report_payment"])
def test_an_answer_for_another_application(
    world: World, application: str, call: str
) -> None:
    body = b'{"res_code": "0000", "ums_reg_id": "another"}'
    world.service.faults.add(Fault("*", "garbage", body=body))
    given = [10] if call == "report_payment" else []
    with pytest.raises(LinkFailed) as caught:
        getattr(world.provider, call)(application, ACCOUNT, *given, soon())
    assert (caught.value.code, caught.value.params["field"]) == (
        "provider.answer",
        "ums_reg_id",
    )
