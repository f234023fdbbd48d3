"""Readers that come and go, and cards in them, as events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from posctl.links import pcsc
from posctl.links.pcsc import Seat
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout, NoDevice

_EVERY = 0.2
"""Seconds between two looks; pcscd itself looks every 0.4 s."""
_LOOK_SECONDS = 5.0
_EMPTY = Seat(False, False, b"", 0)
_PASSING = ("pcsc.no_service", "reader.missing", "link.timeout")


@dataclass(frozen=True)
class Event:
    """``what``: ``reader.there``, ``reader.gone``, ``card.in``, ``card.mute``,
    ``card.out``, ``service.gone``, ``service.back``; ``atr`` of a card that is in."""

    what: str
    reader: str = ""
    atr: bytes = b""


def watch(deadline: Deadline) -> Iterator[Event]:
    """Begins with what is there; ends at the deadline. A service that stops is an
    event, and waited for.

    Raises:
        NoDevice: ``pcsc.unavailable``.
        LinkFailed: ``pcsc.denied``, ``pcsc.failed``, at the first look.
    """
    known: dict[str, Seat] = {}
    served, seen = True, False
    while not deadline.passed:
        try:
            now = pcsc.seats(Deadline(_LOOK_SECONDS))
        except (NoDevice, LinkFailed, LinkTimeout) as error:
            if error.code not in _PASSING and not seen:
                raise  # what it can only say once it was seen, it says while it ends
            if served:
                yield Event("service.gone")
            served, known = False, {}
        else:
            if not served:
                yield Event("service.back")
            served = seen = True
            yield from _changes(known, now)
            known = now
        time.sleep(min(_EVERY, deadline.remaining()))


def _changes(before: dict[str, Seat], now: dict[str, Seat]) -> Iterator[Event]:
    for reader in before.keys() - now.keys():
        yield Event("reader.gone", reader)
    for reader, seat in now.items():
        if reader not in before:
            yield Event("reader.there", reader)
        yield from _card_changes(reader, before.get(reader, _EMPTY), seat)


def _card_changes(reader: str, old: Seat, new: Seat) -> Iterator[Event]:
    """A card that went and came between two looks did both: it counts as moves."""
    swapped = old.present and new.present and new.moves != old.moves
    if old.present and (swapped or not new.present):
        yield Event("card.out", reader)
    if new.present and (swapped or not old.present):
        yield Event("card.mute" if new.mute else "card.in", reader, new.atr)
