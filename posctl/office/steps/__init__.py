"""The office's verification steps, a file each: ``run(context)`` gives the evidence or
raises. The profile says which are made, and in what order (R27)."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module

from posctl.change.journal import Journal
from posctl.change.verify import recorded, verify
from posctl.model.canonical import Json
from posctl.model.steps import Stage
from posctl.office.account import OpenedAccount
from posctl.office.place import Session


@dataclass(frozen=True)
class Context:
    """What a step may look at: the order, the account that was sealed for it, and the
    evidence of the steps that passed before it."""

    session: Session
    journal: Journal
    account: OpenedAccount
    earlier: Json = field(default_factory=dict)


def run_stage(context: Context, stage: Stage) -> Json:
    """The evidence of the profile's steps of this stage, by name.

    Raises:
        PosctlError: what the first step that did not pass raised; recorded.
    """
    from posctl.office.fallback import may_fall_back

    return verify(
        context.journal,
        stage,
        lambda name: _run(context, name),
        lambda failure, other: may_fall_back(context, failure, other),
    )


def run_again(context: Context, name: str) -> None:
    """A step that passed before, on what is true now; nothing where the profile names
    none. Raises what the step raises; recorded."""
    if name in context.journal.order.steps:
        recorded(context.journal, name, lambda step: _run(context, step))


def check_again(context: Context, name: str) -> None:
    """As ``run_again``, and nothing is recorded: past the approval no step can fail."""
    if name in context.journal.order.steps:
        _run(context, name)


def _run(context: Context, name: str) -> Json:
    module = import_module(f"{__name__}.{name}")
    evidence: Json = module.run(context)
    context.earlier[name] = evidence
    return evidence


def masked_phone(number: str) -> str:
    return f"{number[:3]}****{number[-4:]}"
