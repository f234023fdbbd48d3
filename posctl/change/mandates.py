"""Who may act for a merchant: agent, scope and last day of each mandate (R15)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from posctl.model.errors import CheckFailed

SCOPE = "settlement account"


class Terms(NamedTuple):
    """``until`` is the last day, as YYYY-MM-DD."""

    agent: str
    scope: str
    until: str


def good_until(mandates: Iterable[Terms], agent: str, mid: str, today: date) -> str:
    """The last day of the best mandate that the agent has.

    Raises:
        CheckFailed: ``mandate.missing``, ``mandate.scope``, ``mandate.ended``.
    """
    own = [mandate for mandate in mandates if mandate.agent == agent]
    if not own:
        raise CheckFailed("mandate.missing", agent=agent, mid=mid)
    covering = [mandate.until for mandate in own if mandate.scope == SCOPE]
    if not covering:
        raise CheckFailed("mandate.scope", agent=agent, scope=own[0].scope)
    until = max(covering)
    if until < today.isoformat():
        raise CheckFailed("mandate.ended", agent=agent, until=until)
    return until
