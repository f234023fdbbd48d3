"""Runs the verification steps of a stage, in the profile's order (R27)."""

from __future__ import annotations

from collections.abc import Callable

from posctl.change.journal import Journal
from posctl.model.canonical import Json
from posctl.model.errors import (
    CheckFailed,
    ClosedNow,
    OtherChannel,
    PosctlError,
    Refused,
)
from posctl.model.steps import OR, Stage, steps_of

Run = Callable[[str], Json]
FallsBack = Callable[[PosctlError, str], bool]
"""Whether, after this failure, the step of that name may be made in its place (R33)."""

STOPS_SECURITY = frozenset({"tag.forged"})
"""A terminal that shows what its acquirer never made."""


def never(failure: PosctlError, other: str) -> bool:
    return False


def verify(
    journal: Journal, stage: Stage, run: Run, falls_back: FallsBack = never
) -> Json:
    """The evidence of each step by name; all must pass, none is skipped.

    Raises:
        PosctlError: of the first step that did not pass. What it refused is recorded
            as ``step.failed``; the old binding stays.
    """
    evidence: Json = {}
    for name in steps_of(stage, journal.order.steps):
        first, _or, other = name.partition(OR)
        if other:
            evidence[name] = _either(journal, first, other, run, falls_back)
        else:
            evidence[name] = recorded(journal, name, run)
    return evidence


def _either(
    journal: Journal, first: str, other: str, run: Run, falls_back: FallsBack
) -> Json:
    """Which one was made is in the evidence, and why the first was not."""
    try:
        return {"used": first, **recorded(journal, first, run)}
    except PosctlError as failure:
        if not falls_back(failure, other):
            raise
        cause = failure.code
    return {"used": other, "instead": cause, **recorded(journal, other, run)}


def recorded(journal: Journal, name: str, run: Run) -> Json:
    """What it refused is in the log as ``step.failed``."""
    try:
        return run(name)
    except (CheckFailed, ClosedNow, OtherChannel, Refused) as failure:
        record(journal, name, failure)
        raise


def record(journal: Journal, name: str, failure: PosctlError) -> None:
    """With our code, and whose raw code it was where somebody else refused. What smells
    of an attack also freezes the order: a person must look at it."""
    if journal.order.final:  # a step may have ended the order itself
        return
    named = {k: str(failure.params[k]) for k in _RAW if k in failure.params}
    journal.append("step.failed", {"step": name, "cause": failure.code, **named})
    if failure.code in STOPS_SECURITY:
        journal.append("order.frozen", {"operator": "-", "reason": "frozen.security"})


_RAW = ("namespace", "raw")
