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
    S.WAITING_MERCHANT,
    S.FROZEN,
)
"""States that `rollback` may leave, as long as the commit point is not behind."""

_BEFORE_SUBMITTED = UNCOMMITTED[: UNCOMMITTED.index(S.SUBMITTED)]
_MAY_FREEZE = tuple(s for s in State if s not in FINAL | {S.EFFECTIVE, S.FROZEN})
_VERIFIED_IN = (S.DRAFT, S.BACKED_UP, S.PROPOSED)
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
}
_IN_OFFICE: Moves = {
    "order.refused": _move(S.REJECTED, S.PROPOSED),
    "order.approved": _move(S.APPROVED, S.PROPOSED),
    "approval.asked": _stay(S.PROPOSED),
    "binding.read": _stay(S.PROPOSED, S.APPROVED, S.SUBMITTED),
    "order.cooling": _move(S.COOLING, S.APPROVED),
    "order.cooled": _move(S.APPROVED, S.COOLING),
    "order.thawed": _stay(S.FROZEN),
    "order.given_up": _move(S.CANCELLED, S.MANUAL),
    "order.expired": _move(
        S.EXPIRED,
        *(S.PROPOSED, S.APPROVED, S.COOLING, S.SUBMITTED, S.WAITING_MERCHANT),
    ),
    "apply.intended": _stay(S.APPROVED),
    "apply.done": _move(S.SUBMITTED, S.APPROVED),
    "apply.void": _stay(S.APPROVED),
    "apply.refused": _move(S.REJECTED, S.APPROVED),
    "apply.disputed": _move(S.MANUAL, S.APPROVED),
    "sign.intended": _stay(S.SUBMITTED),
    "sign.done": _move(S.AUDITING, S.SUBMITTED),
    "sign.void": _stay(S.SUBMITTED),
    "sign.disputed": _move(S.MANUAL, S.SUBMITTED),
    "payment.intended": _stay(S.SUBMITTED, S.WAITING_MERCHANT),
    "payment.done": _move(S.WAITING_MERCHANT, S.SUBMITTED, S.WAITING_MERCHANT),
    "payment.void": _stay(S.SUBMITTED, S.WAITING_MERCHANT),
    "payment.refused": _stay(S.SUBMITTED, S.WAITING_MERCHANT),
    "amount.intended": _stay(S.WAITING_MERCHANT),
    "amount.done": _move(S.SUBMITTED, S.WAITING_MERCHANT),
    "amount.void": _stay(S.WAITING_MERCHANT),
    "amount.refused": _stay(S.WAITING_MERCHANT),
    "merchant.done": _move(S.SUBMITTED, S.WAITING_MERCHANT),
    "link.given": _move(S.WAITING_MERCHANT, S.SUBMITTED),
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
    "step.failed": _stay(*_VERIFIED_IN),
    "order.cancelled": _move(S.CANCELLED, *_BEFORE_SUBMITTED),
    "order.frozen": _move(S.FROZEN, *_MAY_FREEZE),
    "terminal.confirmed": _stay(S.EFFECTIVE),
    "order.closed": _move(S.CLOSED, S.EFFECTIVE),
    "order.erased": _stay(*FINAL),
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

EFFECTS = ("apply", "sign", "settle", "payment", "amount")
"""Each begins with ``intended`` and ends with one of these: ``done``; ``void`` (it did
not happen, and cannot any more or does no harm); ``refused`` (the outsider said no);
``disputed`` (refused, and yet it may be, or have been, done)."""

BEFORE_COMMIT = frozenset(
    {"rollback.done", "order.expired", "payment.intended", "amount.intended"}
    | {"merchant.done", "order.given_up"}
)
"""These happen only while an order's commit point is not behind it."""

COMMITS = frozenset({"sign.intended", "link.given"})
"""From these on the change may take effect, whatever posctl does. So it may from
``apply.intended`` where the provider does not sign: the event says so itself."""

THAWS = "order.thawed"
"""Goes back to the state that the order was frozen in."""

HANDS_OVER: dict[str, Holder] = {
    "order.opened": Holder.FIELD,
    "order.sent": Holder.OFFICE,
    "order.returned": Holder.FIELD,
    "order.closed": Holder.OFFICE,
}
"""After these events the order is in the other place's hands."""

FREEZE_REASONS = ("dispute", "security", "request")
"""Why an order is frozen: takings are in dispute; something was tampered with or
forged; a party asked for it."""
