"""A merchant without an account: nothing to change; where it gets its first (R16)."""

from __future__ import annotations

import pytest
from world import MakeSite, Site

from emulator.bench import MID, OLD_NUMBER, SERIAL, TID, Till
from protocols.bindingtag import BindingTag
from protocols.errors import RemoteError
from protocols.sensitive import mask


@pytest.fixture
def unbound(make_site: MakeSite) -> Site:
    return make_site(unbound=True)


def port(site: Site) -> tuple[str, str]:
    return "--port", site.bench.port


@pytest.mark.req("R16")
def test_a_terminal_without_a_binding_is_not_changed(unbound: Site) -> None:
    seen = unbound.run("binding", "show", *port(unbound)).ok()
    assert (seen["account"], seen["account_verdict"]) == (None, "UNBOUND")
    refused = unbound.propose()
    assert (refused.code, refused.error["code"]) == (9, "look.unbound")
    assert "posctl change bind" in refused.error["next"]
    assert unbound.run("orders", "list").ok()["orders"] == []


@pytest.mark.req("R16", "R6")
def test_where_the_first_account_is_set_is_told(unbound: Site) -> None:
    way = unbound.run("change", "bind", *port(unbound)).ok()
    assert (way["mid"], way["tid"], way["serial"]) == (MID, TID, SERIAL)
    assert way["channels"] == ["counter"] and way["contacts"]
    assert [d["kind"] for d in way["documents"]] == ["0025", "0026"]


@pytest.mark.req("R16")
def test_a_bound_terminal_needs_no_first_account(site: Site) -> None:
    refused = site.run("change", "bind", *port(site))
    assert (refused.code, refused.error["code"]) == (7, "bind.bound")
    assert refused.error["params"]["mask"] == mask(OLD_NUMBER)


@pytest.mark.req("R2", "R16")
def test_what_a_terminal_cannot_tell_is_not_unbound(make_site: MakeSite) -> None:
    site = make_site(till=Till(tag="none"))
    seen = site.run("binding", "show", *port(site)).ok()
    assert (seen["account"], seen["account_verdict"]) == (None, "unknown")
    refused = site.run("change", "bind", *port(site))
    assert (refused.code, refused.error["code"]) == (7, "bind.unknown")


@pytest.mark.req("R16")
def test_a_rehearsal_tells_it_too(unbound: Site) -> None:
    told = unbound.run("change", "run", "--rehearse", *unbound.means()).ok()
    assert "look.unbound" in {p["code"] for p in told["problems"] if p["blocks"]}


@pytest.mark.req("R16")
@pytest.mark.parametrize(("shown", "version"), [("", 1), (mask(OLD_NUMBER), 0)])
def test_a_tag_is_of_an_account_or_of_none(shown: str, version: int) -> None:
    tag = BindingTag.issue(b"k" * 32, mid=MID, tid=TID, mask=shown, version=version)
    with pytest.raises(RemoteError):
        BindingTag.from_hex(tag.to_hex())
