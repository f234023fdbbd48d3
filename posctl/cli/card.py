"""`posctl card`: what a card is, and whether takings may be paid to it."""

from __future__ import annotations

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import reader_option, shop_option, wait_card_option
from posctl.model.canonical import Json
from posctl.model.deadline import Deadline

_CARD_SECONDS = 30.0


@group("help.card")
def card() -> None:
    """The group; each command returns data."""


@command(card, "show", "help.card.show")
@shop_option
@reader_option
@wait_card_option
def show(
    console: Console, shop: str | None, reader: str | None, card_wait: float
) -> Json:
    from posctl.cards.readers import open_card
    from posctl.cards.reading import read_card

    console.waiting("wait.card")
    deadline = Deadline(_CARD_SECONDS + card_wait)
    link = open_card(reader, deadline, wait=card_wait)
    try:
        found = read_card(link, deadline)
    finally:
        link.close()
    if not found.luhn_ok:
        console.tell("card.luhn_warning", number=found.number)
    return {
        "reader": link.name,
        "number": found.number.masked,
        "label": found.label,
        "kind": found.kind.value,
        "aid": found.aid,
        "sequence": found.sequence,
        "cardholder": found.holder or None,
        "check_digit": found.luhn_ok,
        "apdus": link.apdus,
        "applications": [
            {"aid": a.aid, "label": a.label, "kind": a.kind.value}
            for a in found.applications
        ],
    }
