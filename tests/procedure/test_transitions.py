"""The transition table and the fold: R35, R37."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from payloads import EVIDENCE, PAYLOADS

from posctl.change.order import RECEIVED, Order, fold
from posctl.change.states import (
    EFFECTS,
    FINAL,
    MADE_IN,
    THAWS,
    TRANSITIONS,
    UNCOMMITTED,
    Holder,
    State,
)
from posctl.model.clock import SystemClock
from posctl.model.errors import CheckFailed
from posctl.store.eventlog import Event, EventLog

TO_SUBMITTED = (
    "order.opened look.done preflight.passed backup.proved account.sealed"
    " order.proposed order.sent order.received order.approved apply.intended"
    " apply.done"
).split()
TO_EFFECTIVE = [
    *TO_SUBMITTED,
    *"sign.intended sign.done provider.effective readback.done".split(),
]


class SetClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    opened = EventLog(tmp_path / "log.db", fold, SystemClock())
    yield opened
    opened.close()


def play(log: EventLog, kinds: list[str], number: str = "AAAA-0001") -> Order:
    for kind in kinds:
        holder = (log.projection(number) or {"holder": "field"})["holder"]
        log.append(number, kind, _payload(kind, holder))
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
        before, event = _order(state, effect, holder).to_json(), _event(kind, holder)
        if _fits(kind, effect) and _allowed(kind, state, holder):
            after = fold(before, event)
            thawed = State.PROPOSED if kind == THAWS else None
            assert after["state"] == (thawed or TRANSITIONS[kind][state])
            continue
        with pytest.raises(CheckFailed) as caught:
            fold(before, event)
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
    if state is State.FROZEN:
        since = "2026-11-22T00:00:00.000Z"
        changed |= {"frozen_in": State.PROPOSED, "frozen_since": since}
    return Order.from_json({**opened, **changed})


def _payload(kind: str, holder: str) -> dict[str, object]:
    """Of a reception the holder: he says it only of himself."""
    return {"by": holder} if kind == RECEIVED else PAYLOADS.get(kind, {})


def _event(kind: str, holder: str = Holder.FIELD) -> Event:
    payload = _payload(kind, str(holder))
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


def test_every_state_has_a_way_in_and_those_that_are_not_final_a_way_out() -> None:
    reached = {after for moves in TRANSITIONS.values() for after in moves.values()}
    assert reached == set(State)
    left = {s for moves in TRANSITIONS.values() for s, to in moves.items() if s != to}
    assert left >= set(State) - FINAL - {State.FROZEN}  # a thaw leads back


@pytest.mark.req("R27")
@pytest.mark.parametrize("gate", sorted(EVIDENCE))
def test_no_gate_without_the_evidence_of_its_steps(log: EventLog, gate: str) -> None:
    """Neither less nor more: a step that is missing, and one that nobody wanted."""
    kinds = TO_SUBMITTED[: TO_SUBMITTED.index(gate)]
    play(log, kinds)
    for steps in ({}, {**EVIDENCE[gate], "clock": {}}, None):
        with pytest.raises(CheckFailed) as caught:
            log.append("AAAA-0001", gate, {**PAYLOADS[gate], "steps": steps})
        assert caught.value.code == "order.steps"
    log.append("AAAA-0001", gate, PAYLOADS[gate])


@pytest.mark.req("R31")
def test_nothing_is_submitted_before_a_cooling_off_is_over(log: EventLog) -> None:
    kinds = TO_SUBMITTED[: TO_SUBMITTED.index("order.approved")]
    play(log, kinds)
    log.append(
        "AAAA-0001",
        "order.approved",
        {**PAYLOADS["order.approved"], "cooling_hours": 24},
    )
    with pytest.raises(CheckFailed):
        log.append("AAAA-0001", "apply.intended", PAYLOADS["apply.intended"])
    assert play(log, ["order.cooling"]).state is State.COOLING
    assert play(log, ["order.cooled", "apply.intended"]).effect == "apply"


@pytest.mark.req("R34")
def test_the_clock_of_a_frozen_order_stands_still(tmp_path: Path) -> None:
    clock = SetClock()
    log = EventLog(tmp_path / "log.db", fold, clock)
    order = play(log, TO_SUBMITTED)
    before = order.expires
    for days in (2, 3):
        play(log, ["order.frozen"])
        clock.moment += timedelta(days=days)
        order = play(log, ["order.thawed"])
    assert before is not None
    assert order.expires == before + timedelta(days=5)
    assert order.state is State.SUBMITTED
    log.close()


@pytest.mark.req("R37")
def test_an_application_commits_where_the_provider_does_not_sign(
    log: EventLog,
) -> None:
    kinds = TO_SUBMITTED[: TO_SUBMITTED.index("apply.intended")]
    assert play(log, kinds).may_roll_back
    commits = {"request_seq": "1", "apply_commits": True}
    log.append("AAAA-0001", "apply.intended", commits)
    log.append("AAAA-0001", "apply.void", {"not_reached": "host.unreachable"})
    assert play(log, []).may_roll_back
    log.append("AAAA-0001", "apply.intended", commits)
    assert not play(log, ["apply.done"]).may_roll_back
    with pytest.raises(CheckFailed):
        log.append("AAAA-0001", "rollback.done", {})


def test_each_kind_is_made_somewhere() -> None:
    assert set(MADE_IN) == set(TRANSITIONS)
    for kind in ("order.approved", "sign.done", "readback.done", "receipt.issued"):
        assert MADE_IN[kind] == {Holder.OFFICE}
