"""Every interleaving of a commit: two operators, a crash, a late answer, any fault.

What is searched is posctl's own code (see ``explorer``) over the real transition table,
against a small machine of each kind of provider (``outsiders``). No state may be
reached with none or two effective accounts, none where the log claims what the
provider denies, and none that blocks the merchant and has no way on.

POSCTL_SEARCH=long lets more go wrong; it takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from explorer import Found, Office, Search, begun, nothing_wrong, only_the_course
from explorer import profile_of as example
from msgspec.structs import replace
from outsiders import Applying, Signing
from payloads import PAYLOADS

from posctl.change import order as order_module
from posctl.change.effects import Outcome
from posctl.change.states import TRANSITIONS, UNCOMMITTED, State
from posctl.model.profile import Profile
from posctl.office.application import Application

LONG = os.environ.get("POSCTL_SEARCH") == "long"
EVERYTHING = ("commit", "rollback", "cancel", "freeze", "thaw", "expire")
ENDS = {"EFFECTIVE", "CLOSED", "REJECTED", "EXPIRED", "ROLLED_BACK"}


@pytest.fixture(autouse=True)
def course() -> Iterator[None]:
    with only_the_course():
        yield


def profile_for(provider: Signing | Applying, checkers: tuple[str, ...]) -> Profile:
    kind = "wechatpay" if isinstance(provider, Applying) else "emulator"
    profile = example(kind)
    rules = replace(profile.verification, checkers=checkers)
    return replace(profile, verification=rules)


def search(
    provider: Signing | Applying,
    *,
    commands: tuple[str, ...] = EVERYTHING,
    checkers: tuple[str, ...] = ("office",),
    cooling_hours: int = 0,
    crashes: int = 1,
    faults: int = 1,
    late: int = 1,
    switches: int = 0,
) -> Search:
    """Raises Found."""
    profile = profile_for(provider, checkers)
    office = Office(profile, provider.capabilities)
    found = Search(office, commands, nothing_wrong)
    log = begun(profile, PAYLOADS, cooling_hours=cooling_hours)
    found.run(
        log, provider, crashes=crashes, faults=faults, late=late, switches=switches
    )
    return found


def states(found: Search) -> set[str]:
    return {found.order(state)["state"] for state in found.came_by}


def told(found: Search, record_property: Callable[[str, object], None]) -> None:
    counts = (len(found.came_by), found.transitions, len(found.office.nodes))
    for name, count in zip(("states", "transitions", "nodes"), counts, strict=True):
        record_property(name, count)
    print(f"{counts[0]} states, {counts[1]} transitions, {counts[2]} command prefixes")


# -- with the lock ---------------------------------------------------------------

LOCKED: dict[str, dict[str, Any]] = {
    "signs": {"provider": Signing()},
    "signs after cooling": {"provider": Signing(), "cooling_hours": 24},
    "merchant signs": {"provider": Signing(), "checkers": ("office", "merchant")},
    "penny drop": {
        "provider": Signing(corporate=True),
        "commands": ("commit", "rollback", "cancel", "freeze", "thaw", "amount"),
    },
    "penny drop, two faults": {
        "provider": Signing(corporate=True),
        "commands": ("commit", "amount"),
        "faults": 2,
        "crashes": 0,
    },
}


@pytest.mark.req("R35")
@pytest.mark.req("R37")
@pytest.mark.req("R40")
@pytest.mark.req("R41")
@pytest.mark.parametrize("case", LOCKED)
def test_a_provider_that_signs(
    case: str, record_property: Callable[[str, object], None]
) -> None:
    """One command at a time, as the lock of an order has it; the other operator may
    begin whenever none runs. An order in MANUAL without an application is ended by
    hand: frozen, then rolled back."""
    found = search(**{"faults": 2 if LONG else 1} | LOCKED[case])
    told(found, record_property)
    assert states(found) >= {"CLOSED", "REJECTED", "EXPIRED", "MANUAL"}
    by_hand = "freeze" in LOCKED[case].get("commands", EVERYTHING)
    stuck = [s for s in found.stuck() if by_hand or found.order(s)["application"]]
    assert [found.path(state) for state in stuck[:1]] == []


@pytest.mark.req("R35")
@pytest.mark.req("R37")
@pytest.mark.req("R41")
def test_a_provider_that_does_not_sign(
    record_property: Callable[[str, object], None],
) -> None:
    """An application that was intended, and of which nothing is ever seen there, is a
    person's task; no event for his word exists yet. Nothing else is without a way on.
    """
    found = search(Applying(), faults=3 if LONG else 2)
    told(found, record_property)
    assert states(found) >= {*ENDS, "MANUAL", "UNKNOWN"}
    stuck = {found.provider(state).apps for state in found.stuck()}
    assert stuck <= {()}


@pytest.mark.req("R37")
def test_an_application_that_the_network_delivers_twice() -> None:
    """The second answer says that one is open already, while the first is under way.
    TLS does not repeat a request, a proxy in between might."""
    search(Applying(doubled=True))


# -- without the lock: the table alone -------------------------------------------

UNLOCKED: dict[str, dict[str, Any]] = {
    "signs": {"provider": Signing(), "crashes": 0, "faults": 0, "late": 0},
    "merchant signs": {
        "provider": Signing(),
        "checkers": ("office", "merchant"),
        "commands": ("commit", "rollback", "expire"),
        "crashes": 0,
        "faults": 0,
        "late": 0,
    },
    "does not sign": {
        "provider": Applying(),
        "commands": ("commit", "rollback"),
        "crashes": 0,
    },
}
if LONG:
    UNLOCKED["signs, with a fault"] = {
        "provider": Signing(),
        "commands": ("commit", "rollback"),
        "crashes": 0,
    }


@pytest.mark.req("R35")
@pytest.mark.req("R37")
@pytest.mark.req("R39")
@pytest.mark.parametrize("case", UNLOCKED)
def test_the_table_alone_holds_two_commands_apart(
    case: str, record_property: Callable[[str, object], None]
) -> None:
    """Without the lock a second command breaks into the first at any of its steps."""
    quiet = UNLOCKED[case].get("faults") == 0
    found = search(**UNLOCKED[case], switches=2 if LONG and quiet else 1)
    told(found, record_property)
    assert states(found) >= {"EFFECTIVE", "REJECTED"}


# -- the search can fail ---------------------------------------------------------


def _sends_again(self: Application, order: order_module.Order) -> Outcome:
    self._request: Any = None
    return Outcome("done", self._apply_once(order))


def _forgets_lost_signs(
    order: order_module.Order, event: Any, real: Any = order_module._effect
) -> dict[str, Any]:
    return real(order, event) | (
        {"committed": False} if event.kind == "sign.void" else {}
    )


def _believes_a_no(self: Application, order: Any, refusal: Any) -> None:
    raise refusal


@contextmanager
def _nothing_is_too_late() -> Iterator[None]:
    way_back = property(lambda order: order.state in UNCOMMITTED)
    with patch.object(order_module, "BEFORE_COMMIT", frozenset()):
        with patch.object(order_module.Order, "may_roll_back", way_back):
            yield


def _moves(kind: str, start: State, to: State) -> AbstractContextManager[Any]:
    return patch.dict(TRANSITIONS[kind], {start: to})


BROKEN: dict[str, tuple[Callable[[], AbstractContextManager[Any]], dict[str, Any]]] = {
    "rollback after the signature was intended": (
        lambda: patch.object(order_module, "COMMITS", frozenset({"link.given"})),
        {"provider": Signing()},
    ),
    "a signature that was lost is forgotten": (
        lambda: patch.object(order_module, "_effect", _forgets_lost_signs),
        {"provider": Signing()},
    ),
    "cancelled when it is submitted": (
        lambda: _moves("order.cancelled", State.SUBMITTED, State.CANCELLED),
        {"provider": Signing()},
    ),
    "signed means effective": (
        lambda: _moves("sign.done", State.SUBMITTED, State.EFFECTIVE),
        {"provider": Signing()},
    ),
    "a disputed signature is rejected": (
        lambda: _moves("sign.disputed", State.SUBMITTED, State.REJECTED),
        {"provider": Signing(), "commands": ("commit",), "faults": 2, "crashes": 0},
    ),
    "an application that commits is sent again": (
        lambda: patch.object(Application, "_probe_by_reading", _sends_again),
        {"provider": Applying()},
    ),
    "a link may still be rolled back": (
        _nothing_is_too_late,
        {"provider": Signing(), "checkers": ("merchant",), "crashes": 0},
    ),
    "an open effect holds nothing up": (
        lambda: patch.object(order_module, "_check_effect", lambda *_a: None),
        {"provider": Signing(), "commands": ("commit", "rollback"), "switches": 1},
    ),
}


@pytest.mark.req("R35")
@pytest.mark.req("R37")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_found(name: str) -> None:
    broken, course = BROKEN[name]
    with broken(), pytest.raises(Found):
        search(**course)


@pytest.mark.req("R37")
def test_a_state_without_a_way_on_is_found() -> None:
    """Nothing leads out of MANUAL, and nobody freezes it."""
    kept = {k: v for k, v in TRANSITIONS["provider.rejected"].items() if k != "MANUAL"}
    with patch.dict(TRANSITIONS, {"provider.rejected": kept}):
        found = search(Signing(), commands=("commit",), crashes=0)
    stuck = [found.order(state) for state in found.stuck()]
    assert any(o["application"] and o["state"] == "MANUAL" for o in stuck)
