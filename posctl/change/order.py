"""An order is the fold of its events. ``fold`` is the only place that moves one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from posctl.change.states import (
    BEFORE_COMMIT,
    EFFECTS,
    FINAL,
    HANDS_OVER,
    MADE_IN,
    TRANSITIONS,
    UNCOMMITTED,
    Holder,
    State,
    Terminal,
)
from posctl.model.canonical import Json, digest
from posctl.model.errors import CheckFailed
from posctl.store.eventlog import Event

_COPIED: dict[str, tuple[str, ...]] = {
    "order.opened": (
        "operator",
        "profile",
        "profile_version",
        "profile_sha256",
        "field_id",
        "address",
        "confirm",
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
        "luhn",
        "branch",
        "apdus",
    ),
    "preflight.passed": ("documents", "fee"),
    "order.proposed": ("valid_until",),
    "order.approved": ("approver",),
    "apply.intended": ("request_seq",),
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
}
"""What those parts are; the others are texts."""

_SHAPES = {
    "mid": re.compile(r"[0-9A-Za-z]{1,20}"),
    "tid": re.compile(r"[0-9A-Za-z]{1,20}"),
    "old_mask": re.compile(r"[0-9*]{6,40}"),
    "new_mask": re.compile(r"[0-9*]{6,40}"),
    "branch": re.compile(r"[0-9]{12}"),
    "source": re.compile(r"[a-z ]{1,20}"),
    "kind": re.compile(r"[a-z -]{1,20}"),
    "fee": re.compile(r"[0-9]{1,6}\.[0-9]{2}"),
}
"""Those that people decide by: nobody may write more into them than they are."""

_DOCUMENT = {"kind": str, "sha256": str, "size": int, "type": str}


NUMBER = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{5}")
"""Field and order: typable, and no two stores make the same one."""

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
    luhn: bool = False
    branch: str = ""
    apdus: int = 0
    documents: tuple[Json, ...] = ()
    fee: str = ""
    valid_until: str = ""
    approver: str = ""
    request_seq: str = ""
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
        """Before the commit point: the provider cannot make it effective."""
        return self.state in UNCOMMITTED and not self.committed

    def to_json(self) -> Json:
        return asdict(self) | {"documents": list(self.documents)}

    @classmethod
    def from_json(cls, data: Json) -> Order:
        typed: dict[str, Any] = data | {
            "state": State(data["state"]),
            "holder": Holder(data["holder"]),
            "terminal": Terminal(data["terminal"]),
            "documents": tuple(data["documents"]),
        }
        return cls(**typed)


def fold(before: Json | None, event: Event) -> Json:
    """The projection after ``event``.

    Raises:
        CheckFailed: ``order.transition`` when the table does not allow it.
    """
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
        order = replace(order, state=_next_state(order, event))
    return _after(order, event).to_json()


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
    return following


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
        **kept,
    )


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
    if reason := event.payload.get("reason"):
        kept["reason"] = str(reason)
    return kept


def _document(item: object) -> Json:
    if not isinstance(item, dict) or any(
        type(item.get(name)) is not kind for name, kind in _DOCUMENT.items()
    ):
        raise CheckFailed("order.payload", kind="preflight.passed", part="documents")
    return item


def _terminal(order: Order, event: Event) -> Terminal:
    if event.kind == "terminal.confirmed":
        return Terminal.CONFIRMED
    if event.kind == "order.opened" and event.payload["confirm"] == NOTHING_TO_CONFIRM:
        return Terminal.NOT_APPLICABLE
    return order.terminal


def _effect(order: Order, event: Event) -> dict[str, Any]:
    """Open effect, commit point, and how many signings may still be on their way.

    A signing that did not reach the provider leaves the order before its commit point.
    """
    name, _, phase = event.kind.partition(".")
    if name not in EFFECTS:
        return {}
    if phase == "intended":
        committed = order.committed or name == "sign"
        return {"effect": name, "effect_since": event.time, "committed": committed}
    ended: dict[str, Any] = {"effect": None, "effect_since": None}
    if event.kind not in ("sign.void", "sign.disputed"):
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


def approval_digest(order: Order) -> str:
    """What a checker's signature covers: this profile, this change, this fee (R30)."""
    return digest(
        [
            "posctl approval 1",
            order.number,
            order.profile,
            order.profile_version,
            order.profile_sha256,
            order.valid_until,
            order.mid,
            order.tid,
            order.old_mask,
            order.old_version,
            order.new_mask,
            order.new_hash,
            order.sealed,
            order.source,
            order.kind,
            order.luhn,
            order.branch,
            [[item["kind"], item["sha256"]] for item in order.documents],
            order.fee,
        ]
    )
