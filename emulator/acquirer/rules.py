"""What ChinaUMS's service draws and checks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """What the service draws and checks; its test environment differs.

    Args:
        penny: gives the amount in fen of a penny drop.
        signing_code: gives the code that a merchant gets by short message.
        pictures_checked: an application must name pictures that were uploaded, and
            those of the card.
        any_corporate: merchants to which every account that is in no ledger belongs.
    """

    penny: Callable[[], int] = lambda: 1 + secrets.randbelow(99)
    signing_code: Callable[[], str] = lambda: f"{secrets.randbelow(10**6):06}"
    pictures_checked: bool = True
    any_corporate: frozenset[str] = frozenset()
