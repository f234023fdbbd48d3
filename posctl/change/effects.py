"""An effect on an outsider: a durable intent before it, the outcome after it.

A run that died between the two leaves the intent open. ``settle`` asks the outsider
what really happened (the probe) and closes it. No effect is ever repeated blindly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from posctl.change.journal import Journal
from posctl.change.order import Order
from posctl.model.canonical import Json
from posctl.model.errors import (
    CheckFailed,
    LinkFailed,
    PosctlError,
    Refused,
    StateUnknown,
    UsageError,
)

Phase = Literal["done", "void", "refused", "disputed"]


class Disputed(Refused):
    """Refused, and yet it may be done, or have been done: a person must find out."""


@dataclass(frozen=True)
class Outcome:
    """How an effect ended, with the evidence for it."""

    phase: Phase
    evidence: Json


@dataclass(frozen=True)
class Effect:
    """``do`` carries it out; ``probe`` asks the outsider what became of it.

    ``do`` raises Refused for a definite no, and LinkFailed; one whose parameter
    ``sent`` is false never reached the outsider.
    """

    name: str
    do: Callable[[Order], Json]
    probe: Callable[[Order], Outcome]


def perform(journal: Journal, effect: Effect, intent: Json) -> Order:
    """Intent, effect, outcome. Returns the order after it.

    Raises:
        Refused: the outsider said no; recorded.
        LinkFailed: the outsider was not reached; recorded, nothing happened.
        StateUnknown: it may have happened; the intent stays open for ``settle``.
    """
    order = journal.append(f"{effect.name}.intended", intent)
    try:
        evidence = effect.do(order)
    except Disputed as dispute:
        reason = {**dispute.params, "reason": dispute.code}
        journal.append(f"{effect.name}.disputed", reason)
        raise
    except Refused as refusal:
        reason = {**refusal.params, "reason": refusal.code}
        journal.append(f"{effect.name}.refused", reason)
        raise
    except (UsageError, CheckFailed) as ours:  # nothing could be sent
        journal.append(f"{effect.name}.void", {"not_reached": ours.code})
        raise
    except LinkFailed as failure:
        if failure.params.get("sent") is False:
            journal.append(f"{effect.name}.void", {"not_reached": failure.code})
            raise
        raise _unknown(order, effect, failure) from failure
    return journal.append(f"{effect.name}.done", evidence)


def settle(journal: Journal, effect: Effect) -> Order:
    """Close the open intent of a run that died, by asking the outsider.

    Raises:
        StateUnknown: the outsider could not be asked; the intent stays open.
    """
    order = journal.order
    try:
        outcome = effect.probe(order)
    except LinkFailed as failure:
        raise _unknown(order, effect, failure) from failure
    return journal.append(f"{effect.name}.{outcome.phase}", outcome.evidence)


def _unknown(order: Order, effect: Effect, failure: PosctlError) -> StateUnknown:
    unknown = StateUnknown(
        "effect.unknown", order=order.number, effect=effect.name, cause=failure.code
    )
    unknown.frames = failure.frames
    return unknown
