"""`posctl card`: what a card is, how far its chip is proved, and whether takings may be
paid to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import (
    home_option,
    reader_option,
    shop_option,
    wait_card_option,
)
from posctl.model.canonical import Json
from posctl.model.clock import SystemClock
from posctl.model.deadline import Deadline

if TYPE_CHECKING:
    from posctl.links import CardLink
    from protocols.cardproof import Check, Keys

_CARD_SECONDS = 30.0


@group("help.card")
def card() -> None:
    """The group; each command returns data."""


@command(card, "show", "help.card.show")
@shop_option
@reader_option
@wait_card_option
@home_option
def show(
    console: Console,
    home: Path,
    shop: str | None,
    reader: str | None,
    card_wait: float,
) -> Json:
    from posctl.cards.reading import read_card

    keys = _keys(home)
    with _card(console, reader, card_wait) as (link, deadline):
        found = read_card(link, deadline, keys=keys)
    if not found.luhn_ok:
        console.tell("card.luhn_warning", number=found.number)
    return {
        "reader": link.name,
        "number": found.number.masked,
        "label": found.label,
        "kind": found.kind.value,
        "chip_grade": found.proof.grade.value,
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


@command(card, "verify", "help.card.verify")
@shop_option
@reader_option
@wait_card_option
@home_option
def verify(
    console: Console,
    home: Path,
    shop: str | None,
    reader: str | None,
    card_wait: float,
) -> Json:
    """Raises CheckFailed ``card.proof_failed``, once every link was told."""
    from posctl.cards.reading import check_proof, read_any

    keys = _keys(home)
    with _card(console, reader, card_wait) as (link, deadline):
        found = read_any(link, deadline, keys=keys)
    for check in found.proof.checks:
        _tell(console, check)
    check_proof(found)
    return {
        "reader": link.name,
        "number": found.number.masked,
        "aid": found.aid,
        "chip_grade": found.proof.grade.value,
        "links": [_link_view(check) for check in found.proof.checks],
        "apdus": link.apdus,
    }


def _tell(console: Console, check: Check) -> None:
    shown = {"link": check.name, "detail": check.detail or "-"}
    if check.reason:
        console.tell("card.link_broken", reason=check.reason, **shown)
    else:
        console.tell("card.link_holds", **shown)


def _link_view(check: Check) -> Json:
    return {
        "link": check.name,
        "holds": not check.reason,
        "reason": check.reason or None,
        "detail": check.detail or None,
    }


@command(card, "keys", "help.card.keys")
@home_option
def keys(console: Console, home: Path) -> Json:
    """Those of the set-up, if there is one, and the built-in ones."""
    from posctl.cards.cakeys import built_in

    found = _keys(home) or built_in()
    return {
        "keys": [
            {
                "rid": key.rid,
                "index": f"{key.index:02X}",
                "bits": key.key.size * 8,
                "exponent": key.key.exponent,
                "check_value": key.check_value,
                "expires": key.expires.isoformat() if key.expires else None,
                "test": key.is_test,
                "origin": key.origin,
            }
            for key in found.keys
        ],
        "revoked": len(found.revoked),
    }


def _keys(home: Path) -> Keys | None:
    """Of the set-up, None without one."""
    from posctl.cards.cakeys import of_set_up
    from posctl.store.home import Home

    found = Home(home)
    return (
        of_set_up(found, found.profile(SystemClock().now())) if found.exists() else None
    )


@contextmanager
def _card(
    console: Console, reader: str | None, card_wait: float
) -> Iterator[tuple[CardLink, Deadline]]:
    from posctl.cards.readers import open_card

    console.waiting("wait.card")
    deadline = Deadline(_CARD_SECONDS + card_wait)
    link = open_card(reader, deadline, wait=card_wait)
    try:
        yield link, deadline
    finally:
        link.close()
