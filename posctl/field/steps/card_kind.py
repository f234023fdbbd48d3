"""Takings go to debit cards only (R20): the chip's word, or the BIN table's; what
neither can tell is the approver's to decide."""

from __future__ import annotations

from posctl.field.steps import Context
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed

DEBIT, UNKNOWN = "debit", "unknown"


def run(context: Context) -> Json:
    """Raises CheckFailed ``card.kind``."""
    order = context.journal.order
    if order.account_type == "corporate":
        return {"kind": "not applicable: an account, no card"}
    if order.kind not in (DEBIT, UNKNOWN):
        raise CheckFailed("card.kind", kind=order.kind)
    return {"kind": order.kind, "source": order.source}
