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
    "chip_proof": Stage.APPROVAL,
    "account_class": Stage.APPROVAL,
    "same_name": Stage.APPROVAL,
    "elements": Stage.APPROVAL,
    "otp": Stage.APPROVAL,
    "penny_drop": Stage.APPROVAL,
    "call_back": Stage.APPROVAL,
}
"""Name -> stage. The code of a step is ``field.steps.NAME`` or ``office.steps.NAME``.
Fee and terms are accepted by the word that proposes; the second person, cooling-off,
signing and a provider's own penny drop are states of the order, not steps."""

SERVICE = frozenset({"elements", "otp", "penny_drop"})
"""Those that need the verification service, which is ours: no provider offers them."""

OR = "|"
"""In a profile's ``otp|call_back``: the second only where the first gave no word on the
person (R33). Its evidence, under the whole text, has the name that was ``used``."""

FACTORS = frozenset({"elements", "otp", "penny_drop", "call_back"})
"""Those that may stand in for one another: each is about the holder himself."""

GATES: dict[str, Stage] = {
    "preflight.passed": Stage.PREFLIGHT,
    "order.proposed": Stage.ACCOUNT,
    "order.approved": Stage.APPROVAL,
}
"""Event -> the stage that it ends; its payload has the evidence under ``steps``."""


def check_order(names: tuple[str, ...]) -> None:
    """Raises ValueError for a step that is not known, is named twice, or comes before
    one of an earlier stage."""
    each = factors(names)
    if unknown := [name for name in each if name not in STEPS]:
        raise ValueError(f"verification.steps: {unknown[0]} is not known")
    stages = [stage_of(name) for name in names]
    if stages != sorted(stages):
        raise ValueError("verification.steps: preflight, then account, then approval")
    if len(set(each)) != len(each):
        raise ValueError("verification.steps: a step is named twice")
    for name in names:
        _check_alternatives(name, names)


def _check_alternatives(name: str, names: tuple[str, ...]) -> None:
    parts = name.split(OR)
    if len(parts) > 2 or (len(parts) == 2 and not FACTORS.issuperset(parts)):
        raise ValueError(f"verification.steps: {name} is no pair of factors")
    if "otp" in parts and "elements" not in names[: names.index(name)]:
        raise ValueError("verification.steps: otp needs elements before it")


def factors(names: Iterable[str]) -> tuple[str, ...]:
    """Each step, alternatives apart."""
    return tuple(part for name in names for part in name.split(OR))


def stage_of(name: str) -> Stage:
    """Of a step, or of two that are alternatives."""
    return STEPS[name.split(OR)[0]]


def steps_of(stage: Stage, names: Iterable[str]) -> list[str]:
    """Those of a stage, in order."""
    return [name for name in names if stage_of(name) is stage]


def is_evidence(evidence: object, names: Iterable[str]) -> bool:
    """Whether it is of these steps and of no other, and of two alternatives says which
    one was made."""
    if not isinstance(evidence, dict) or sorted(evidence) != sorted(names):
        return False
    pairs = ((name.split(OR), evidence[name]) for name in evidence if OR in name)
    return all(isinstance(e, dict) and e.get("used") in parts for parts, e in pairs)
