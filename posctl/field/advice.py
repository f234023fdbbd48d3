"""Advice before the confirmation: told, kept in the order; it stops nobody (R17)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from posctl.change.order import Order
from posctl.field.place import FieldPlace
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed


@dataclass(frozen=True)
class ReceivingLimit:
    """What the bank lets the new account receive a day, in yuan, and the last day of a
    limit that is a temporary one."""

    yuan: Decimal
    until: date | None = None

    @classmethod
    def parse(cls, text: str) -> ReceivingLimit:
        """``5000.00`` or ``5000.00:2027-06-30``. Raises ValueError."""
        yuan, _colon, until = text.partition(":")
        if not yuan.replace(".", "", 1).isdecimal() or not yuan.isascii():
            raise ValueError(text)
        amount = Decimal(yuan).quantize(Decimal("0.01"))
        return cls(amount, date.fromisoformat(until) if until else None)

    def __str__(self) -> str:
        return f"{self.yuan}:{self.until}" if self.until else str(self.yuan)


def advise(place: FieldPlace, order: Order, limit: ReceivingLimit | None) -> Json:
    """Tell the profile's advice, and what follows from the limit that the technician
    told and the takings that the office expects of the merchant.

    Returns:
        What was told: ``advice`` the profile's texts; ``receiving_limit`` and
        ``turnover`` as they were known.
    """
    person, expected = place.person, _expected(place, order)
    for text in place.profile.advice:
        person.tell("propose.advice", advice=text)
    if limit is None and expected is not None:
        person.tell("advice.limit_unknown", expected=expected)
    if limit is not None and expected is not None and limit.yuan < expected:
        person.tell("advice.limit_low", limit=limit.yuan, expected=expected)
    if limit is not None and limit.until is not None:
        person.tell("advice.limit_ends", limit=limit.yuan, until=limit.until)
    return {
        "advice": list(place.profile.advice),
        "receiving_limit": str(limit or ""),
        "turnover": str(expected or ""),
    }


def _expected(place: FieldPlace, order: Order) -> Decimal | None:
    try:
        return place.terminal_list(order.mid).turnover
    except CheckFailed:  # it says nothing then; advice stops nobody
        return None
