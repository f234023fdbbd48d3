"""Forged notices, and a provider that answers for another merchant."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from attacks import nothing_changes, outside, refused
from procedures import office, proposed, state
from world import Site

from emulator.bench import MID, OLD_NUMBER
from emulator.faults import Fault
from posctl.model.errors import CheckFailed

TOLD = b'{"service_type": "alter_notify", "apply_status": "03"}'


def lie(site: Site, service: str, times: int = 9, **fields: object) -> None:
    """The provider, or whoever stands there with its certificate, says this."""
    body = json.dumps({"res_code": "0000", **fields}).encode()
    site.bench.provider.faults.add(Fault(service, "garbage", times, body=body))


@pytest.mark.req("R46")
def test_a_forged_notice_moves_nothing(site: Site) -> None:
    """Whoever knows no key cannot even be read; and a genuine one only says what to
    ask: no command takes one in, `orders` and `commit` ask the provider."""
    number = site.approved()
    provider = office(site, timedelta()).provider()
    with nothing_changes(site), pytest.raises(CheckFailed, match=r"notice\.forged"):
        provider.open_notice({"X-Signature": "x"}, TOLD)
    assert state(site, number) == "APPROVED"


@pytest.mark.req("R2")
def test_terminals_of_another_merchant(site: Site) -> None:
    """At the fetch, and again before the submission."""
    number = site.approved()
    lie(site, "terminals_qry", merchantNo="898110054110009", terminals="11000001")
    with nothing_changes(site):
        refused(site.run("merchant", "fetch", MID), "provider.answer", 5)
        ran = site.commit(number)
        assert ran.code != 0 and ran.error["code"] == "provider.answer"


@pytest.mark.req("R38")
def test_an_application_for_another_merchant(site: Site) -> None:
    """Its answer is not believed; what became of it is asked for."""
    number = site.approved()
    told = {"ums_reg_id": "another", "mer_no": "898110054110009"}
    lie(site, "complex_alter_acctinfo", 1, **told)
    ran = site.commit(number)
    assert (ran.code, ran.error["code"]) == (8, "effect.unknown")
    assert site.signed() == 0 and site.account() == OLD_NUMBER
    assert site.commit(number).ok()["state"] == "EFFECTIVE"
    assert site.signed() == 1


@pytest.mark.req("R38")
@pytest.mark.parametrize(
    "fields",
    [
        {"apply_status": "03", "ums_reg_id": "of another application"},
        {"apply_status": "03", "request_seq": "of another request"},
        {"apply_status": "04", "ums_reg_id": "another", "fail_reason": "x"},
    ],
    ids=["application", "request", "rejected"],
)
def test_a_state_of_another_application(site: Site, fields: dict[str, str]) -> None:
    """Neither effective nor rejected: nothing is decided by it."""
    number = site.approved()
    lie(site, "alter_qry", 99, **fields)
    ran = site.commit(number, "--wait", "1")
    assert ran.code in (5, 8), ran.err
    assert state(site, number) not in ("EFFECTIVE", "REJECTED", "READBACK")
    assert site.run("receipt", "show", number).error["code"] == "receipt.none"
    site.bench.provider.faults.clear()
    assert site.commit(number).ok()["state"] == "EFFECTIVE"


@pytest.mark.req("R3")
def test_another_ca_in_the_place_of_the_pinned_one(site: Site) -> None:
    """So that another host could stand there: the signed profile holds its hash."""
    number = proposed(site)
    site.run("orders", "list").ok()
    ca = site.home / "office" / "provider-ca.pem"
    ca.write_bytes((site.home / "root.pem").read_bytes())
    before = outside(site)
    with nothing_changes(site):
        ran = site.run("change", "approve", number, answers=["0018"])
        refused(ran, "ca.changed")
    assert outside(site) == before
