"""Only terminals whose behaviour the profile knows are changed (R4)."""

from __future__ import annotations

from posctl.change.journal import last_payload
from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed


def run(context: Context) -> Json:
    """Raises CheckFailed ``terminal.model``: it may be read, not changed."""
    journal = context.journal
    found = last_payload(journal.log, journal.number, "look.done")
    model, firmware = found.get("model"), found.get("firmware")
    if not context.place.profile.terminal.knows(model):
        raise CheckFailed("terminal.model", model=model or "?", firmware=firmware)
    return {"model": model, "firmware": firmware}
