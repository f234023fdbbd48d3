"""The verification steps there are, and at which stage of an order each is made (R27).

A profile names those it wants, in order. An order is opened with that list, and the
event that ends a stage (its gate) holds the evidence of every step of the stage, or
the fold refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Stage(IntEnum):
    """When a step is made: in the field before and after the account was read, at the
    office before the approval."""

    PREFLIGHT = 1
    ACCOUNT = 2
    APPROVAL = 3


STEPS: dict[str, Stage] = {
    "notices": Stage.PREFLIGHT,
    "windows": Stage.PREFLIGHT,
    "model": Stage.PREFLIGHT,
    "clock": Stage.PREFLIGHT,
    "batch": Stage.PREFLIGHT,
    "mandate": Stage.PREFLIGHT,
    "eligibility": Stage.PREFLIGHT,
    "documents": Stage.PREFLIGHT,
    "caps": Stage.PREFLIGHT,
    "card_kind": Stage.ACCOUNT,
    "identity": Stage.APPROVAL,
    "old_account": Stage.APPROVAL,
    "office_caps": Stage.APPROVAL,
    "same_name": Stage.APPROVAL,
    "elements": Stage.APPROVAL,
    "otp": Stage.APPROVAL,
    "call_back": Stage.APPROVAL,
}
"""Name -> stage. The code of a step is ``field.steps.NAME`` or ``office.steps.NAME``.
Fee and terms are accepted by the word that proposes; the second person, cooling-off,
penny drop and signing are states of the order, not steps."""

GATES: dict[str, Stage] = {
    "preflight.passed": Stage.PREFLIGHT,
    "order.proposed": Stage.ACCOUNT,
    "order.approved": Stage.APPROVAL,
}
"""Event -> the stage that it ends; its payload has the evidence under ``steps``."""


def check_order(names: tuple[str, ...]) -> None:
    """Raises ValueError for a step that is not known, is named twice, or comes before
    one of an earlier stage."""
    if unknown := [name for name in names if name not in STEPS]:
        raise ValueError(f"verification.steps: {unknown[0]} is not known")
    stages = [STEPS[name] for name in names]
    if stages != sorted(stages):
        raise ValueError("verification.steps: preflight, then account, then approval")
    if len(set(names)) != len(names):
        raise ValueError("verification.steps: a step is named twice")


def steps_of(stage: Stage, names: Iterable[str]) -> list[str]:
    """Those of a stage, in order."""
    return [name for name in names if STEPS[name] is stage]
