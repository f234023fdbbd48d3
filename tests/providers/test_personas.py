"""A script for the provider's test environment runs here unchanged."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from provider_world import MakeWorld, World, soon

from emulator.acquirer.ledger import Ledger
from emulator.acquirer.personas import MIDS, personas
from posctl.providers import ChangeRequest, Need, Picture, UploadedPicture
from protocols.sensitive import AccountNumber

# What the provider publishes, not taken from the emulator.
INDIVIDUAL = "6225880011112222"
COMPANIES = ("6225880022221111", "6225880022223333")
CODE, PENNY = "123456", 10
ANY_CORPORATE = "11001234567890123456"


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    ledger = Ledger()
    return make_world(ledger=ledger, rules=personas(ledger), mids=MIDS)


def changed(world: World, mid: str, new: str) -> str:
    """The script: apply, prove a corporate account, sign, ask."""
    provider, account = world.provider, AccountNumber(new)
    picture = provider.upload(Picture("0025", "x", "image/png"), b"x", soon())
    assert isinstance(picture, UploadedPicture)
    request = ChangeRequest(mid, account, "102100099996", pictures=(picture,))
    application = provider.apply(request, f"S{mid}", soon())
    if provider.query(mid, application, soon()).need is Need.PENNY_DROP:
        provider.request_payment(application, account, soon())
        provider.report_payment(application, account, PENNY, soon())
    link = urlsplit(provider.sign_link(application))
    page = f"{link.path}?{link.query}"
    assert world.service.account_change.sign_page(page)[0] == 200
    world.service.account_change.sign_page(f"{page}&sms_code={CODE}")
    world.clock.now += 180
    return provider.query(mid, application, soon()).raw


@pytest.mark.parametrize(
    ("mid", "new"),
    [
        (MIDS[0], INDIVIDUAL),
        (MIDS[1], ANY_CORPORATE),
        (MIDS[2], ANY_CORPORATE),
        (MIDS[1], COMPANIES[0]),
        (MIDS[2], COMPANIES[1]),
    ],
)
def test_each_persona_changes_its_account(world: World, mid: str, new: str) -> None:
    assert changed(world, mid, new) == "03"
    assert world.ledger.merchants[mid].account == new


def test_an_individual_business_has_no_corporate_account(world: World) -> None:
    assert changed(world, MIDS[0], ANY_CORPORATE) == "04"


def test_a_companys_card_is_nobody_elses(world: World) -> None:
    assert changed(world, MIDS[0], COMPANIES[0]) == "04"
