"""Which reader, and waiting for a card in it."""

from __future__ import annotations

import time

from posctl.links import CardLink, directcard, pcsc
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, NoDevice

_LOOK_SECONDS = 0.05
# A card just put in is there before it has power: mute for a moment.
_SETTLE_SECONDS = 1.0


def open_card(reader: str | None, deadline: Deadline, *, wait: float) -> CardLink:
    """Connect to the card in ``reader``.

    Args:
        reader: the exact name of a PC/SC reader, ``tcp:HOST:PORT`` for a card of the
            emulator, or None for the only reader there is.
        wait: seconds to wait for a card to be put in, within the deadline.

    Raises:
        NoDevice: ``reader.none``, ``reader.ambiguous`` (with ``candidates``),
            ``reader.unknown`` (likewise), ``reader.missing`` (unplugged meanwhile),
            ``card.none``, ``pcsc.unavailable``.
        LinkFailed, LinkTimeout: as the links raise them.
    """
    name = choose_reader(reader, deadline)
    direct = name.startswith(directcard.PREFIX)
    connect = directcard.DirectCardLink if direct else pcsc.PcscLink
    limits = {"card.none": Deadline(wait)}
    while True:
        try:
            return connect(name, deadline)
        except (NoDevice, LinkFailed) as error:
            if error.code == "card.mute":
                limits.setdefault("card.mute", Deadline(_SETTLE_SECONDS))
            limit = limits.get(error.code)
            if limit is None or limit.passed or deadline.passed:
                raise
        time.sleep(min(_LOOK_SECONDS, deadline.remaining()))


def choose_reader(reader: str | None, deadline: Deadline) -> str:
    """The reader that is meant, of those there are; no card is touched.

    Raises:
        NoDevice: ``reader.none``, ``reader.ambiguous``, ``reader.unknown``,
            ``pcsc.unavailable``.
    """
    if reader is not None and reader.startswith(directcard.PREFIX):
        return reader
    names = pcsc.list_readers(deadline)
    if not names:
        raise NoDevice("reader.none")
    if reader is None and len(names) > 1:
        raise NoDevice("reader.ambiguous", candidates=" | ".join(names))
    if reader is not None and reader not in names:
        candidates = " | ".join(names)
        raise NoDevice("reader.unknown", reader=reader, candidates=candidates)
    return reader or names[0]
