"""Runs the verification steps of a stage, in the profile's order (R27)."""

from __future__ import annotations

from collections.abc import Callable

from posctl.change.journal import Journal
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, ClosedNow, OtherChannel, Refused
from posctl.model.steps import Stage, steps_of


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
            if not journal.order.final:  # a step may have ended the order itself
                journal.append("step.failed", {"step": name, "cause": failure.code})
            raise
    return evidence
