"""The open batch is a note: a change at the provider writes nothing to the terminal, so
settlement is not asked for (R11)."""

from __future__ import annotations

from posctl.field.look import LOOK_SECONDS
from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline


def run(context: Context) -> Json:
    totals = context.driver.totals(Deadline(LOOK_SECONDS))
    if totals.count:
        shown = {"count": totals.count, "amount": totals.amount}
        context.place.person.tell("preflight.batch", **shown)
    return {"count": totals.count, "amount": str(totals.amount)}
