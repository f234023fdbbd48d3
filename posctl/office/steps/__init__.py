"""The office's verification steps, a file each: ``run(context)`` gives the evidence or
raises. The profile says which are made, and in what order (R27)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from posctl.change.journal import Journal
from posctl.change.verify import verify
from posctl.model.canonical import Json
from posctl.model.steps import Stage
from posctl.office.account import OpenedAccount
from posctl.office.place import Session


@dataclass(frozen=True)
class Context:
    """What a step may look at: the order, and the account that was sealed for it."""

    session: Session
    journal: Journal
    account: OpenedAccount


def run_stage(context: Context, stage: Stage) -> Json:
    """The evidence of the profile's steps of this stage, by name.

    Raises:
        PosctlError: what the first step that did not pass raised; recorded.
    """
    return verify(context.journal, stage, lambda name: _run(context, name))


def _run(context: Context, name: str) -> Json:
    module = import_module(f"{__name__}.{name}")
    evidence: Json = module.run(context)
    return evidence
