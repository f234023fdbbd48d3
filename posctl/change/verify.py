"""Runs the verification steps of a stage, in the profile's order (R27)."""

from __future__ import annotations

from collections.abc import Callable

from posctl.change.journal import Journal
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, ClosedNow, OtherChannel, Refused
from posctl.model.steps import Stage, steps_of

STOPS_SECURITY = frozenset({"tag.forged"})
"""A terminal that shows what its acquirer never made."""


def verify(journal: Journal, stage: Stage, run: Callable[[str], Json]) -> Json:
    """The evidence of each step by name; all must pass, none is skipped.

    Raises:
        PosctlError: of the first step that did not pass. What it refused is recorded
            as ``step.failed``; the old binding stays.
    """
    evidence: Json = {}
    for name in steps_of(stage, journal.order.steps):
        try:
            evidence[name] = run(name)
        except (CheckFailed, ClosedNow, OtherChannel, Refused) as failure:
            _record(journal, name, failure.code)
            raise
    return evidence


def _record(journal: Journal, step: str, cause: str) -> None:
    """What smells of an attack also freezes the order: a person must look at it."""
    if journal.order.final:  # a step may have ended the order itself
        return
    journal.append("step.failed", {"step": step, "cause": cause})
    if cause in STOPS_SECURITY:
        journal.append("order.frozen", {"operator": "-", "reason": "frozen.security"})
