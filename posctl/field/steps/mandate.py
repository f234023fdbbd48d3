"""Who acts for a merchant needs a mandate that the office registered (R15)."""

from __future__ import annotations

from posctl.field.steps import Context, today
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed

SCOPE = "settlement account"


def run(context: Context) -> Json:
    """Raises CheckFailed ``mandate.missing``, ``mandate.scope``, ``mandate.ended``."""
    agent = context.agent
    if agent is None:
        return {"acts": "owner"}
    listed = context.place.terminal_list(context.journal.order.mid)
    found = next((m for m in listed.mandates if m.agent == agent), None)
    if found is None:
        raise CheckFailed("mandate.missing", agent=agent, mid=listed.mid)
    if found.scope != SCOPE:
        raise CheckFailed("mandate.scope", agent=agent, scope=found.scope)
    if found.until < today(context).isoformat():
        raise CheckFailed("mandate.ended", agent=agent, until=found.until)
    return {"acts": "agent", "agent": agent, "until": found.until}
