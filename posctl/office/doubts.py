"""What nothing settles about a card, the approver takes upon himself (R20, R21)."""

from __future__ import annotations

from posctl.change.order import Order
from posctl.change.person import Person
from posctl.model.canonical import Json
from posctl.model.errors import CheckFailed, Declined
from posctl.office.account import OpenedAccount

_UNKNOWN, _CORPORATE = "unknown", "corporate"
KIND_WORD, DIGIT_WORD = "KIND", "DIGIT"


def doubts_of(order: Order, account: OpenedAccount) -> list[str]:
    """A kind that neither AID nor BIN table tells; a check digit that is wrong (some
    real cards' are). Of a company's account neither is asked."""
    if order.account_type == _CORPORATE:
        return []
    unknown, wrong = order.kind == _UNKNOWN, not account.check_digit_right
    found = {"kind": unknown, "check_digit": wrong}
    return [name for name, is_so in found.items() if is_so]


def accept_doubts(
    person: Person, order: Order, account: OpenedAccount, operator: str
) -> Json:
    """By whom, for each doubt.

    Raises:
        CheckFailed: ``doubt.not_accepted``.
    """
    accepted: Json = {}
    for doubt in doubts_of(order, account):
        try:
            _ask(person, order, doubt)
        except Declined:
            raise CheckFailed("doubt.not_accepted", doubt=doubt) from None
        accepted[doubt] = operator
    return accepted


def _ask(person: Person, order: Order, doubt: str) -> None:
    shown = {"mask": order.new_mask[:-4] + "****", "source": order.source}
    if doubt == "kind":
        person.confirm("doubt.kind", KIND_WORD, **shown)
    else:
        person.confirm("doubt.check_digit", DIGIT_WORD, **shown)
