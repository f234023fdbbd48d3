"""Who acts for a merchant needs a mandate that the office registered (R15)."""

from __future__ import annotations

from posctl.change.mandates import Terms, good_until
from posctl.field.steps import Context, today
from posctl.model.canonical import Json


def run(context: Context) -> Json:
    """Raises CheckFailed ``mandate.missing``, ``mandate.scope``, ``mandate.ended``."""
    agent = context.agent
    if agent is None:
        return {"acts": "owner"}
    listed = context.place.terminal_list(context.journal.order.mid)
    known = [Terms(m.agent, m.scope, m.until) for m in listed.mandates]
    until = good_until(known, agent, listed.mid, today(context))
    return {"acts": "agent", "agent": agent, "until": until}
