"""An order is the fold of its events. ``fold`` is the only place that moves one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from posctl.change.states import (
    BEFORE_COMMIT,
    COMMITS,
    EFFECTS,
    FINAL,
    HANDS_OVER,
    MADE_IN,
    THAWS,
    TRANSITIONS,
    UNCOMMITTED,
    Holder,
    State,
    Terminal,
)
from posctl.model.canonical import Json
from posctl.model.clock import moment
from posctl.model.errors import CheckFailed
from posctl.model.steps import GATES, check_order, is_evidence, steps_of
from posctl.store.eventlog import Event
from protocols.sensitive import MASK

_COPIED: dict[str, tuple[str, ...]] = {
    "order.opened": (
        "operator",
        "profile",
        "profile_version",
        "profile_sha256",
        "field_id",
        "address",
        "confirm",
        "steps",
        "account_type",
    ),
    "look.done": ("mid", "tid", "serial", "old_mask", "old_version"),
    "backup.proved": ("backup",),
    "account.sealed": (
        "new_mask",
        "new_hash",
        "sealed",
        "label",
        "source",
        "kind",
        "kind_by",
        "luhn",
        "chip_grade",
        "branch",
        "apdus",
    ),
    "preflight.passed": ("documents", "fee"),
    "order.proposed": ("valid_until",),
    "binding.read": ("provider_mask", "failed_mask"),
    "order.approved": ("approver", "cooling_hours", "name_grade", "account_id"),
    "order.cooling": ("cool_until",),
    "apply.intended": ("request_seq", "apply_commits"),
    "apply.done": ("application",),
    "receipt.issued": ("receipt",),
    "order.returned": ("expected_tag",),
    "settle.intended": ("batch",),
}
"""Which parts of a payload the projection keeps, by kind."""

_TYPES: dict[str, tuple[type, ...]] = {
    "profile_version": (int,),
    "serial": (str, type(None)),
    "old_mask": (str, type(None)),
    "old_version": (int, type(None)),
    "expected_tag": (str, type(None)),
    "apdus": (int,),
    "luhn": (bool,),
    "documents": (list,),
    "steps": (list,),
    "apply_commits": (bool,),
    "cooling_hours": (int,),
}
"""What those parts are; the others are texts."""

_MASK = rf"(?=[0-9*]{{4,40}}\Z){MASK.pattern}"
_SHAPES = {
    "mid": re.compile(r"[0-9A-Za-z]{1,20}"),
    "tid": re.compile(r"[0-9A-Za-z]{1,20}"),
    "old_mask": re.compile(_MASK),
    "provider_mask": re.compile(f"({_MASK})?"),
    "failed_mask": re.compile(f"({_MASK})?"),
    "new_mask": re.compile(_MASK),
    "branch": re.compile(r"([0-9]{12})?"),
    "account_type": re.compile(r"card|corporate"),
    "source": re.compile(r"[a-z ]{1,20}"),
    "kind": re.compile(r"[a-z -]{1,20}"),
    "kind_by": re.compile(r"(AID|BIN table)?"),
    "chip_grade": re.compile(r"[a-z ,]{0,40}"),
    "fee": re.compile(r"[0-9]{1,6}\.[0-9]{2}"),
    "confirm": re.compile(r"binding_tag|n/a"),
}
"""Those that people decide by: nobody may write more into them than they are."""

_MOMENTS = {"valid_until", "cool_until"}
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""What is later is no time of an order: days can be added to all others."""
_LAST_VERSION = 2**32 - 2
"""Of a binding: the next one must fit into its tag."""
_LONGEST_WORDS = 200
_CODE = re.compile(r"[a-z_]{1,24}\.[a-z_]{1,32}")
_ENDS = frozenset(
    {"look.refused", "order.needless", "order.refused", "order.cancelled"}
    | {"order.given_up"}
    | {"order.frozen", "order.expired", "apply.refused", "apply.disputed"}
    | {"sign.disputed"}
)
"""Events whose ``reason``, a code, is the order's; ``provider.rejected`` has the
provider's own words. No other event explains what became of an order."""
_UNDONE = frozenset({"readback.done", "rollback.done", THAWS})
"""After these, what stood in the way before is no reason any more."""
_TUPLES = ("documents", "steps")
_DOCUMENT = {"kind": str, "sha256": str, "size": int, "type": str}


NUMBER = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{5}")
"""Field and order: typable, and no two stores make the same one."""

RECEIVED = "order.received"

LOST = "-"
"""Stands for the number of an application whose answer was lost, but which shows."""

NOTHING_TO_CONFIRM = "n/a"
"""A profile's word for terminals that cannot show the change."""


@dataclass(frozen=True)
class Order:
    """What is known of an order now. Masks only; the numbers are in sealed boxes."""

    number: str
    state: State
    holder: Holder
    position: int
    hash: str
    opened: str
    changed: str
    terminal: Terminal = Terminal.PENDING
    effect: str | None = None
    effect_since: str | None = None
    committed: bool = False
    lost_signs: int = 0
    operator: str = ""
    profile: str = ""
    profile_version: int = 0
    profile_sha256: str = ""
    confirm: str = ""
    field_id: str = ""
    address: str = ""
    steps: tuple[str, ...] = ()
    account_type: str = "card"
    mid: str = ""
    tid: str = ""
    serial: str | None = None
    old_mask: str | None = None
    old_version: int | None = None
    backup: str = ""
    new_mask: str = ""
    new_hash: str = ""
    sealed: str = ""
    label: str = ""
    source: str = ""
    kind: str = ""
    kind_by: str = ""
    luhn: bool = False
    chip_grade: str = ""
    branch: str = ""
    apdus: int = 0
    documents: tuple[Json, ...] = ()
    fee: str = ""
    valid_until: str = ""
    approver: str = ""
    provider_mask: str = ""
    failed_mask: str = ""
    name_grade: str = ""
    account_id: str = ""
    cooling_hours: int = 0
    cool_until: str = ""
    was_cooled: bool = False
    effective_at: str = ""
    frozen_in: State | None = None
    frozen_since: str = ""
    stopped_ms: int = 0
    stopped_before_ms: int = 0
    request_seq: str = ""
    apply_commits: bool = False
    application: str = ""
    receipt: str = ""
    expected_tag: str | None = None
    batch: str = ""
    reason: str = ""

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def blocks(self) -> bool:
        """No other order of this terminal or merchant may begin yet.

        An effective one does not: the way back is a new, reverse order, also while
        the terminal has still to show the change.
        """
        return not self.final and self.state is not State.EFFECTIVE

    @property
    def may_roll_back(self) -> bool:
        """Before the commit point: the provider cannot make it effective. Of a frozen
        one that is what it was before."""
        frozen = self.state is State.FROZEN
        state = self.frozen_in if frozen else self.state
        return state in UNCOMMITTED and not self.committed

    @property
    def expires(self) -> datetime | None:
        """When it expires; the clock stops while it is frozen (R34)."""
        return self._shifted(self.valid_until, self.stopped_ms)

    @property
    def cooled(self) -> datetime | None:
        """When its cooling-off is over: it was frozen for longer meanwhile."""
        return self._shifted(self.cool_until, self.stopped_ms - self.stopped_before_ms)

    def _shifted(self, text: str, by_ms: int) -> datetime | None:
        return moment(text) + timedelta(milliseconds=by_ms) if text else None

    def to_json(self) -> Json:
        lists = {name: list(getattr(self, name)) for name in _TUPLES}
        return {**vars(self), **lists}

    @classmethod
    def from_json(cls, data: Json) -> Order:
        """Raises CheckFailed ``log.projection``: no projection of an order."""
        try:
            return cls._from_json(data)
        except (KeyError, TypeError, ValueError):
            number = str(data.get("number", "-"))
            raise CheckFailed("log.projection", order=number) from None

    @classmethod
    def _from_json(cls, data: Json) -> Order:
        typed: dict[str, Any] = data | {
            "state": State(data["state"]),
            "holder": Holder(data["holder"]),
            "terminal": Terminal(data["terminal"]),
            "frozen_in": State(data["frozen_in"]) if data["frozen_in"] else None,
            **{name: tuple(data[name]) for name in _TUPLES},
        }
        return cls(**typed)


def fold(before: Json | None, event: Event) -> Json:
    """The projection after ``event``.

    Raises:
        CheckFailed: ``order.transition`` when the table does not allow it.
    """
    _moment(event, event.time)
    if before is None:
        state = _next_state(None, event)
        order = Order(
            number=event.order_id,
            state=state,
            holder=Holder.FIELD,
            position=0,
            hash="",
            opened=event.time,
            changed=event.time,
        )
    else:
        order = Order.from_json(before)
        _check_effect(order, event)
        following = _next_state(order, event)
        if event.kind == "order.frozen":
            order = replace(order, frozen_in=order.state)
        order = replace(order, state=following)
    return _after(order, event).to_json()


def profile_of(order: Order) -> tuple[str, int, str]:
    """Name, version and hash of the profile that it was made under, as it says."""
    return order.profile, order.profile_version, order.profile_sha256


def was_received(event: Event, by: Holder) -> bool:
    """Whether that place took the order over here; its time is that of its clock."""
    return event.kind == RECEIVED and event.payload["by"] == str(by)


def replay(events: Sequence[Event]) -> Order:
    """The order that these events make. Raises CheckFailed as ``fold``."""
    projection: Json | None = None
    for event in events:
        projection = fold(projection, event)
    if projection is None:
        raise CheckFailed("chain.broken", position=1)
    return Order.from_json(projection)


def check_makers(events: Sequence[Event], known: int, sender: Holder) -> None:
    """Every event after position ``known`` was made while ``sender`` held the order.

    Raises:
        CheckFailed: ``chain.maker`` with the position: the sender wrote events that
            only the other place may make.
    """
    projection: Json | None = None
    for event in events:
        holder = projection["holder"] if projection else Holder.FIELD
        if event.position > known and holder != sender:
            raise CheckFailed("chain.maker", order=event.order_id, kind=event.kind)
        projection = fold(projection, event)


def _next_state(order: Order | None, event: Event) -> State:
    state = order.state if order else None
    following = TRANSITIONS.get(event.kind, {}).get(state)
    holder = order.holder if order else Holder.FIELD
    if following is None or holder not in MADE_IN[event.kind]:
        raise _illegal(order, event)
    if event.kind in BEFORE_COMMIT and order and order.committed:
        raise _illegal(order, event)
    if event.kind == "rollback.done" and order and not order.may_roll_back:
        raise _illegal(order, event)
    if event.kind == "order.given_up" and order and order.application:
        raise _illegal(order, event)
    if order:
        _check_receiver(order, event)
        _check_steps(order, event)
    if event.kind == THAWS and order and order.frozen_in:
        return order.frozen_in
    return following


def _check_receiver(order: Order, event: Event) -> None:
    """Whoever holds an order says only of itself that it was received: from the
    office's own ``order.received`` on its validity counts."""
    if event.kind == RECEIVED and event.payload.get("by") != str(order.holder):
        raise CheckFailed("order.payload", kind=event.kind, part="by")


def _check_steps(order: Order, event: Event) -> None:
    """A gate holds the evidence of each step of its stage, and of no other (R27); and
    nothing is submitted before a cooling-off that was asked for is over (R31)."""
    if event.kind in GATES:
        evidence = event.payload.get("steps")
        wanted = steps_of(GATES[event.kind], order.steps)
        if not is_evidence(evidence, wanted):
            raise CheckFailed("order.steps", order=order.number, kind=event.kind)
    if event.kind == "apply.intended" and order.cooling_hours and not order.was_cooled:
        raise CheckFailed("order.steps", order=order.number, kind=event.kind)


def _check_effect(order: Order, event: Event) -> None:
    """An open effect ends before anything else happens; no end without a start."""
    name, _, phase = event.kind.partition(".")
    is_end = name in EFFECTS and phase != "intended"
    if is_end != (order.effect is not None) or (is_end and order.effect != name):
        raise _illegal(order, event)


def _illegal(order: Order | None, event: Event) -> CheckFailed:
    return CheckFailed(
        "order.transition",
        order=event.order_id,
        state=str(order.state) if order else "-",
        effect=(order.effect if order else None) or "-",
        kind=event.kind,
    )


def _after(order: Order, event: Event) -> Order:
    kept = _kept(event)
    return replace(
        order,
        holder=HANDS_OVER.get(event.kind, order.holder),
        position=event.position,
        hash=event.hash,
        changed=event.time,
        terminal=_terminal(order, event),
        **_effect(order, event),
        **_clock(order, event),
        **kept,
    )


def _clock(order: Order, event: Event) -> dict[str, Any]:
    """The time spent frozen, the end of the cooling-off, the moment of effect."""
    if event.kind == "order.cooling":
        return {"stopped_before_ms": order.stopped_ms}
    if event.kind == "order.cooled":
        return {"was_cooled": True}
    if event.kind == "readback.done":
        return {"effective_at": event.time}
    if event.kind == "order.frozen":
        return {"frozen_since": event.time}
    if event.kind != THAWS:
        return {}
    frozen = _moment(event, event.time) - _moment(event, order.frozen_since)
    stopped = max(0, frozen // timedelta(milliseconds=1))  # a clock may go back
    return {
        "frozen_in": None,
        "frozen_since": "",
        "stopped_ms": order.stopped_ms + stopped,
    }


def _kept(event: Event) -> dict[str, Any]:
    """The parts of the payload that the projection keeps, their types checked."""
    kept: dict[str, Any] = {}
    for name in _COPIED.get(event.kind, ()):
        value = event.payload.get(name)
        if type(value) not in _TYPES.get(name, (str,)):
            raise CheckFailed("order.payload", kind=event.kind, part=name)
        shape = _SHAPES.get(name)
        if shape and isinstance(value, str) and not shape.fullmatch(value):
            raise CheckFailed("order.payload", kind=event.kind, part=name)
        kept[name] = value
    if "documents" in kept:
        kept["documents"] = tuple(_document(item) for item in kept["documents"])
    for name in _MOMENTS & kept.keys():
        _moment(event, kept[name])
    if "steps" in kept:
        kept["steps"] = _step_names(event, kept["steps"])
    if not 0 <= (kept.get("old_version") or 0) <= _LAST_VERSION:
        raise CheckFailed("order.payload", kind=event.kind, part="old_version")
    return kept | _reason(event)


def _reason(event: Event) -> dict[str, str]:
    """Why it ended or stands still; both contacts are told it (R46)."""
    told = event.payload.get("reason", "")
    if event.kind in _UNDONE:
        return {"reason": ""}
    if event.kind == "provider.rejected":
        return {"reason": str(told)[:_LONGEST_WORDS]}
    if event.kind not in _ENDS:
        return {}
    if told and not (isinstance(told, str) and _CODE.fullmatch(told)):
        raise CheckFailed("order.payload", kind=event.kind, part="reason")
    return {"reason": told}


def _moment(event: Event, text: str) -> datetime:
    """Raises CheckFailed ``order.payload`` for what is no time."""
    try:
        found = moment(text)
    except ValueError:
        found = None
    if found is None or found > _LATEST:
        raise CheckFailed("order.payload", kind=event.kind, part="time")
    return found


def _step_names(event: Event, names: list[object]) -> tuple[str, ...]:
    try:
        check_order(tuple(map(str, names)))
    except ValueError:
        raise CheckFailed("order.payload", kind=event.kind, part="steps") from None
    return tuple(map(str, names))


def _document(item: object) -> Json:
    if not isinstance(item, dict) or any(
        type(item.get(name)) is not kind for name, kind in _DOCUMENT.items()
    ):
        raise CheckFailed("order.payload", kind="preflight.passed", part="documents")
    return item


def _terminal(order: Order, event: Event) -> Terminal:
    """An order that changed nothing has nothing for the terminal to show; no more has
    one that a later order replaced before anybody looked."""
    if order.final and order.state is not State.CLOSED:
        return Terminal.NOT_APPLICABLE
    if event.kind == "terminal.confirmed":
        return Terminal.CONFIRMED
    if event.kind == "order.closed" and event.payload.get("replaced_by"):
        return Terminal.NOT_APPLICABLE
    if event.kind == "order.opened" and event.payload["confirm"] == NOTHING_TO_CONFIRM:
        return Terminal.NOT_APPLICABLE
    return order.terminal


def _effect(order: Order, event: Event) -> dict[str, Any]:
    """Open effect, commit point, and how many attempts of the commit may still be on
    their way. One that did not reach the provider leaves the order before its commit
    point.
    """
    if event.kind in COMMITS and event.kind != "sign.intended":
        return {"committed": True}
    name, _, phase = event.kind.partition(".")
    if name not in EFFECTS:
        return {}
    if phase == "intended":
        commits = event.kind in COMMITS or event.payload.get("apply_commits") is True
        committed = order.committed or commits
        return {"effect": name, "effect_since": event.time, "committed": committed}
    ended: dict[str, Any] = {"effect": None, "effect_since": None}
    commits = name == "sign" or (name == "apply" and order.apply_commits)
    if not commits or phase not in ("void", "disputed"):
        return ended
    if "not_reached" in event.payload:
        return ended | {"committed": order.lost_signs > 0}
    return ended | {"lost_signs": order.lost_signs + 1}


def order_over(order: Order) -> CheckFailed:
    """For whoever wants to go on with an order that has ended."""
    return CheckFailed(
        "order.over",
        order=order.number,
        state=str(order.state),
        reason=order.reason or "done",
    )
