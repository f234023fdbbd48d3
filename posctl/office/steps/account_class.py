"""Which class of account is it (PBOC notice 302 of 2016)? Some providers take none of
Class II (R13).

No chip, no BIN and no provider's call tells it: the approver reads it off the bank's
papers, and his word is in the evidence.
"""

from __future__ import annotations

import unicodedata

from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, Declined
from posctl.office.steps import Context

_TYPED = {"I": "I", "1": "I", "II": "II", "2": "II", "III": "III", "3": "III"}


def run(context: Context) -> Json:
    """Raises CheckFailed ``account.class``; ``account.class_unknown``: nobody told."""
    order, place = context.journal.order, context.session.place
    if order.account_type == "corporate":
        return {"class": "not applicable: a company's account"}
    mask = order.new_mask[:-4] + "****"
    try:
        told = place.person.ask("ask.class", _class, secret=False, mask=mask)
    except Declined:
        raise CheckFailed("account.class_unknown") from None
    allowed = place.profile.account.classes
    if told not in allowed:
        words = ", ".join(allowed)
        raise CheckFailed("account.class", account_class=told, allowed=words)
    return {"class": told, "told_by": context.session.operator.name}


def _class(text: str) -> str:
    """``Ⅱ``, ``ii`` and ``2`` are one class."""
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    if plain not in _TYPED:
        raise CheckFailed("account.class_form")
    return _TYPED[plain]
