"""The field's verification steps, a file each: ``run(context)`` gives the evidence or
raises. The profile says which are made, and in what order (R27)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path

from posctl.change.journal import Journal
from posctl.change.verify import verify
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json
from posctl.model.steps import Stage
from posctl.terminals import TerminalDriver


@dataclass(frozen=True)
class Context:
    """What a step may look at. ``pictures``: the folder that was given; ``expiries``:
    when documents expire, by kind; ``agent``: who acts for the merchant."""

    place: FieldPlace
    journal: Journal
    driver: TerminalDriver
    pictures: Path | None = None
    agent: str | None = None


def run_stage(context: Context, stage: Stage) -> Json:
    """The evidence of the profile's steps of this stage, by name.

    Raises:
        PosctlError: what the first step that did not pass raised; recorded.
    """
    return verify(context.journal, stage, lambda name: run_step(context, name))


def run_step(context: Context, name: str) -> Json:
    """The evidence of one; nothing is recorded. Raises what it raises."""
    module = import_module(f"{__name__}.{name}")
    evidence: Json = module.run(context)
    return evidence


def today(context: Context) -> date:
    """In the provider's time zone."""
    place = context.place
    return place.clock.now().astimezone(place.profile.zone).date()
