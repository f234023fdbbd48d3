"""`posctl card`: what a card is, how far its chip is proved, and whether takings may be
paid to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posctl.cli.command import command
from posctl.cli.console import Console
from posctl.cli.grammar import group
from posctl.cli.options import (
    SECONDS,
    home_option,
    reader_option,
    shop_option,
    wait_card_option,
    yes_option,
)
from posctl.cli.text.messages import _
from posctl.model.canonical import Json
from posctl.model.clock import SystemClock
from posctl.model.deadline import Deadline
from posctl.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from posctl.links import CardLink
    from protocols.apdu import Command
    from protocols.cardproof import Check, Keys

_CARD_SECONDS = 30.0
_FOREVER = float("inf")


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
    from protocols.cardproof import Grade

    keys = _keys(home)
    with _card(console, reader, card_wait) as (link, deadline):
        found = read_any(link, deadline, keys=keys)
    if found.proof.grade is Grade.FAILED:
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


@command(card, "watch", "help.card.watch")
@click.option("--seconds", type=SECONDS, help=_("option.watch_seconds"))
@click.option("--count", type=click.IntRange(1), help=_("option.watch_count"))
def watch(console: Console, seconds: float | None, count: int | None) -> Json:
    """Told as it happens; the result, once it is over, has all of it."""
    from posctl.cards.watching import watch as look

    console.waiting("wait.events")
    found: list[Json] = []
    events = look(Deadline(_FOREVER if seconds is None else seconds))
    for event in islice(events, count):
        atr = event.atr.hex(" ").upper()
        where = f"{event.reader} {atr}".strip()
        console.tell("watch.event", happened=event.what, where=where)
        row = {"event": event.what, "reader": event.reader or None, "atr": atr or None}
        found.append(row)
    return {"events": found} if console.as_json else {}


APDU_WORD = "APDU"
_SELECTS = frozenset({(0x00, 0xA4), (0x00, 0xC0)})
"""Class and instruction: SELECT and GET RESPONSE."""
_READS = _SELECTS | {
    *((0x00, 0xB0), (0x00, 0xB2), (0x00, 0xCA), (0x80, 0xCA)),  # binary, record, data
    *((0x80, 0xA8), (0x00, 0x84), (0x00, 0x88)),  # GPO, challenges both ways
}
"""Of another class the same instruction may mean anything."""


@command(card, "apdu", "help.card.apdu")
@yes_option
@shop_option
@reader_option
@wait_card_option
@click.argument("commands", metavar="HEX...", nargs=-1, required=True)
def apdu(
    console: Console,
    shop: str | None,
    reader: str | None,
    card_wait: float,
    commands: tuple[str, ...],
) -> Json:
    """What is answered is explained, numbers masked; bytes of it are not shown.

    Raises:
        UsageError: ``card.apdu``; CheckFailed: ``card.apdu_refused``,
            ``card.apdu_contactless``.
        Declined: the word was not typed.
    """
    from posctl.cards.reading import answered
    from protocols.apdu import shown
    from protocols.atr import is_contactless

    wanted = [_command(text) for text in commands]
    console.confirm("apdu.confirm", APDU_WORD, count=len(wanted))
    with _card(console, reader, card_wait) as (link, deadline):
        if is_contactless(link.atr) and not {one.kind for one in wanted} <= _SELECTS:
            raise CheckFailed("card.apdu_contactless")
        got = [answered(link, deadline, one) for one in wanted]
    return {
        "reader": link.name,
        "answers": [
            {
                "answer": number,
                "command": shown(sent.to_bytes()),
                "sw": f"{answer.sw:04X}",
                "length": len(answer.data),
            }
            for number, (sent, answer) in enumerate(zip(wanted, got, strict=True), 1)
        ],
        "objects": [
            {"answer": number, **one}
            for number, answer in enumerate(got, 1)
            for one in _objects(answer.data)
        ],
    }


def _objects(data: bytes) -> list[Json]:
    """None in what is no TLV data."""
    from posctl.cli.explain import object_views
    from protocols.errors import RemoteError

    try:
        return object_views(data)
    except RemoteError:
        return []


def _command(text: str) -> Command:
    """Raises UsageError ``card.apdu``, CheckFailed ``card.apdu_refused``."""
    from protocols.apdu import Command
    from protocols.errors import RemoteError

    try:
        made = Command.from_bytes(bytes.fromhex("".join(text.split())))
    except (ValueError, RemoteError):
        raise UsageError("card.apdu") from None
    if made.kind not in _READS:
        raise CheckFailed("card.apdu_refused", ins=f"{made.cla:02X} {made.ins:02X}")
    return made


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
