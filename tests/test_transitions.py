"""The transition table and the fold: R35, R37."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from posctl.change.order import Order, fold
from posctl.change.states import (
    EFFECTS,
    FINAL,
    MADE_IN,
    TRANSITIONS,
    UNCOMMITTED,
    Holder,
    State,
)
from posctl.model.clock import SystemClock
from posctl.model.errors import CheckFailed
from posctl.store.eventlog import Event, EventLog

OPENED = {
    "operator": "li",
    "profile": "p",
    "profile_version": 1,
    "profile_sha256": "s",
    "confirm": "binding_tag",
    "field_id": "AAAA",
    "address": "tcp:1",
}
PAYLOADS: dict[str, dict[str, object]] = {
    "order.opened": OPENED,
    "look.done": {
        "mid": "m",
        "tid": "t",
        "serial": None,
        "old_mask": "621234******1265",
        "old_version": 1,
    },
    "preflight.passed": {"documents": [], "fee": "0.00"},
    "backup.proved": {"backup": "b"},
    "account.sealed": {
        "new_mask": "621626*********0018",
        "new_hash": "h",
        "sealed": "s",
        "label": "",
        "source": "chip",
        "kind": "debit",
        "luhn": True,
        "branch": "102100099996",
        "apdus": 1,
    },
    "order.proposed": {"valid_until": "2026-12-08T00:00:00.000Z"},
    "order.approved": {"approver": "wang"},
    "apply.intended": {"request_seq": "1"},
    "apply.done": {"application": "a"},
    "receipt.issued": {"receipt": "r"},
    "order.returned": {"expected_tag": None},
    "settle.intended": {"batch": "1"},
}
TO_SUBMITTED = (
    "order.opened look.done preflight.passed backup.proved account.sealed"
    " order.proposed order.sent order.received order.approved apply.intended"
    " apply.done"
).split()
TO_EFFECTIVE = [
    *TO_SUBMITTED,
    *"sign.intended sign.done provider.effective readback.done".split(),
]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    opened = EventLog(tmp_path / "log.db", fold, SystemClock())
    yield opened
    opened.close()


def play(log: EventLog, kinds: list[str], number: str = "AAAA-0001") -> Order:
    for kind in kinds:
        log.append(number, kind, PAYLOADS.get(kind, {}))
    return Order.from_json(log.projection(number) or {})


@pytest.mark.req("R35")
def test_the_course_to_effective_and_closed(log: EventLog) -> None:
    kinds = [*TO_EFFECTIVE, "receipt.issued", "order.returned", "order.received"]
    order = play(log, [*kinds, "terminal.confirmed", "order.closed"])
    assert (order.state, order.terminal) == (State.CLOSED, "confirmed")


@pytest.mark.req("R35")
@pytest.mark.parametrize("kind", sorted(TRANSITIONS))
def test_every_kind_is_refused_in_every_other_state(kind: str) -> None:
    """Exhaustive: each state, with and without an open effect, in each place."""
    for state, effect, holder in product(State, (None, *EFFECTS), Holder):
        before = _order(state, effect, holder).to_json()
        if _fits(kind, effect) and _allowed(kind, state, holder):
            after = fold(before, _event(kind))
            assert after["state"] == TRANSITIONS[kind][state]
            continue
        with pytest.raises(CheckFailed) as caught:
            fold(before, _event(kind))
        assert caught.value.code == "order.transition"


def _allowed(kind: str, state: State, holder: Holder) -> bool:
    return state in TRANSITIONS[kind] and holder in MADE_IN[kind]


def _fits(kind: str, effect: str | None) -> bool:
    name, _dot, phase = kind.partition(".")
    if name in EFFECTS and phase != "intended":
        return effect == name
    return effect is None


def _order(state: State, effect: str | None, holder: Holder) -> Order:
    opened = fold(None, _event("order.opened"))
    changed = {"state": state, "effect": effect, "holder": holder}
    return Order.from_json({**opened, **changed})


def _event(kind: str) -> Event:
    payload = PAYLOADS.get(kind, {})
    return Event.chained("AAAA-0001", None, "2026-11-23T00:00:00.000Z", kind, payload)


def test_an_unknown_kind_is_refused(log: EventLog) -> None:
    with pytest.raises(CheckFailed):
        log.append("AAAA-0001", "order.invented", {})


@pytest.mark.req("R35")
def test_no_event_leaves_a_final_state() -> None:
    for kind, moves in TRANSITIONS.items():
        for before, after in moves.items():
            if before in FINAL:
                assert after is before, kind


@pytest.mark.req("R37")
def test_the_commit_point_is_the_intent_to_sign(log: EventLog) -> None:
    assert play(log, TO_SUBMITTED).may_roll_back
    assert not play(log, ["sign.intended"]).may_roll_back
    with pytest.raises(CheckFailed):
        log.append("AAAA-0001", "rollback.done", {})


@pytest.mark.req("R37")
def test_a_signature_that_never_left_is_before_the_commit_point(log: EventLog) -> None:
    play(log, [*TO_SUBMITTED, "sign.intended"])
    log.append("AAAA-0001", "sign.void", {"not_reached": "host.unreachable"})
    assert play(log, []).may_roll_back


@pytest.mark.req("R37")
def test_a_signature_that_may_be_on_its_way_is_behind_it(log: EventLog) -> None:
    """The probe said "not signed", but the request may arrive late."""
    play(log, [*TO_SUBMITTED, "sign.intended"])
    log.append("AAAA-0001", "sign.void", {"raw": "00"})
    log.append("AAAA-0001", "sign.intended", {})
    log.append("AAAA-0001", "sign.void", {"not_reached": "host.unreachable"})
    assert not play(log, []).may_roll_back


def test_states_that_rollback_leaves_lead_nowhere_effective() -> None:
    moves = TRANSITIONS["rollback.done"]
    assert set(moves) == set(UNCOMMITTED)
    assert set(moves.values()) == {State.ROLLED_BACK}


def test_states_without_a_way_in_are_known() -> None:
    """They belong to freezing and cooling off, which no command does yet."""
    reached = {after for moves in TRANSITIONS.values() for after in moves.values()}
    assert set(State) - reached == {State.COOLING, State.FROZEN}


def test_each_kind_is_made_somewhere() -> None:
    assert set(MADE_IN) == set(TRANSITIONS)
    for kind in ("order.approved", "sign.done", "readback.done", "receipt.issued"):
        assert MADE_IN[kind] == {Holder.OFFICE}
