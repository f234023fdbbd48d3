"""The states of an order and the one table of what may happen in each (R35).

A kind of event that is not in the table, or not for the state an order is in, is
refused: there is no other way to move an order.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    DRAFT = "DRAFT"
    PRECHECKED = "PRECHECKED"
    BACKED_UP = "BACKED_UP"
    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    COOLING = "COOLING"
    SUBMITTED = "SUBMITTED"
    WAITING_MERCHANT = "WAITING_MERCHANT"
    AUDITING = "AUDITING"
    READBACK = "READBACK"
    EFFECTIVE = "EFFECTIVE"
    CLOSED = "CLOSED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    FROZEN = "FROZEN"
    UNKNOWN = "UNKNOWN"
    ROLLED_BACK = "ROLLED_BACK"
    MANUAL = "MANUAL"


class Terminal(StrEnum):
    """What the terminal itself shows of the change, beside the order's state."""

    NOT_APPLICABLE = "n/a"
    PENDING = "pending"
    CONFIRMED = "confirmed"


class Holder(StrEnum):
    """The one place that may add events to an order now."""

    FIELD = "field"
    OFFICE = "office"


S = State
FINAL = frozenset({S.CLOSED, S.REJECTED, S.EXPIRED, S.CANCELLED, S.ROLLED_BACK})
"""No event changes these any more; they never block a new order."""

UNCOMMITTED = (
    S.DRAFT,
    S.PRECHECKED,
    S.BACKED_UP,
    S.PROPOSED,
    S.APPROVED,
    S.COOLING,
    S.SUBMITTED,
)
"""States that `rollback` may leave, as long as the commit point is not behind."""

_ASKED = (S.SUBMITTED, S.WAITING_MERCHANT, S.AUDITING, S.UNKNOWN)


def _stay(*states: State) -> dict[State | None, State]:
    return {state: state for state in states}


def _move(to: State, *states: State) -> dict[State | None, State]:
    return dict.fromkeys(states, to)


Moves = dict[str, dict[State | None, State]]

_IN_FIELD: Moves = {
    "order.opened": {None: S.DRAFT},
    "look.done": _stay(S.DRAFT),
    "preflight.passed": _move(S.PRECHECKED, S.DRAFT),
    "backup.proved": _move(S.BACKED_UP, S.PRECHECKED),
    "account.sealed": _stay(S.BACKED_UP),
    "look.refused": _move(S.CANCELLED, S.DRAFT),
    "order.needless": _move(S.CANCELLED, S.BACKED_UP),
    "order.proposed": _move(S.PROPOSED, S.BACKED_UP),
    "order.sent": _stay(S.PROPOSED),
    "settle.intended": _stay(S.EFFECTIVE),
    "settle.done": _stay(S.EFFECTIVE),
    "settle.void": _stay(S.EFFECTIVE),
    "settle.refused": _stay(S.EFFECTIVE),
    "terminal.confirmed": _stay(S.EFFECTIVE),
    "order.closed": _move(S.CLOSED, S.EFFECTIVE),
}
_IN_OFFICE: Moves = {
    "order.refused": _move(S.REJECTED, S.PROPOSED),
    "order.approved": _move(S.APPROVED, S.PROPOSED),
    "order.expired": _move(S.EXPIRED, S.PROPOSED, S.APPROVED, S.SUBMITTED),
    "apply.intended": _stay(S.APPROVED),
    "apply.done": _move(S.SUBMITTED, S.APPROVED),
    "apply.void": _stay(S.APPROVED),
    "apply.refused": _move(S.REJECTED, S.APPROVED),
    "apply.disputed": _move(S.MANUAL, S.APPROVED),
    "sign.intended": _stay(S.SUBMITTED),
    "sign.done": _move(S.AUDITING, S.SUBMITTED),
    "sign.void": _stay(S.SUBMITTED),
    "sign.disputed": _move(S.MANUAL, S.SUBMITTED),
    "provider.waiting": _move(S.WAITING_MERCHANT, *_ASKED),
    "provider.auditing": _move(S.AUDITING, *_ASKED),
    "provider.unknown": _move(S.UNKNOWN, *_ASKED),
    "provider.rejected": _move(S.REJECTED, *_ASKED, S.MANUAL, S.READBACK),
    "provider.effective": _move(S.READBACK, *_ASKED, S.MANUAL),
    "readback.done": _move(S.EFFECTIVE, S.READBACK),
    "readback.failed": _stay(S.READBACK),
    "receipt.issued": _stay(S.EFFECTIVE),
    "order.returned": _stay(S.EFFECTIVE, *FINAL),
}
_IN_BOTH: Moves = {
    "order.received": _stay(S.PROPOSED, S.EFFECTIVE, *FINAL),
    "rollback.done": _move(S.ROLLED_BACK, *UNCOMMITTED),
}
TRANSITIONS: Moves = {**_IN_FIELD, **_IN_OFFICE, **_IN_BOTH}

MADE_IN: dict[str, frozenset[Holder]] = {
    **dict.fromkeys(_IN_FIELD, frozenset({Holder.FIELD})),
    **dict.fromkeys(_IN_OFFICE, frozenset({Holder.OFFICE})),
    **dict.fromkeys(_IN_BOTH, frozenset(Holder)),
}
"""Where an event of each kind may be made: no field approves, no office confirms."""

EFFECTS = ("apply", "sign", "settle")
"""Each begins with ``intended`` and ends with one of these: ``done``; ``void`` (it did
not happen, and cannot any more or does no harm); ``refused`` (the outsider said no);
``disputed`` (refused, and yet it may be, or have been, done)."""

BEFORE_COMMIT = frozenset({"rollback.done", "order.expired"})
"""These end an order only while its commit point is not behind it."""

HANDS_OVER: dict[str, Holder] = {
    "order.opened": Holder.FIELD,
    "order.sent": Holder.OFFICE,
    "order.returned": Holder.FIELD,
    "order.closed": Holder.OFFICE,
}
"""After these events the order is in the other place's hands."""
