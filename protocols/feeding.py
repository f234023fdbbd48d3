"""Bytes to messages: one by one where a byte decides, in one piece where none does.

A byte at a time is the whole truth of each feeder; ``_run`` only shortens it for the
data inside a message, which is nearly all of it.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar

E = TypeVar("E")


class ByteFeeder(Generic[E]):
    """The loop that feeders share, however the bytes are cut."""

    def feed(self, data: bytes) -> list[E]:
        found: list[E] = []
        at = 0
        while at < len(data):
            if run := self._run(data, at):
                at += run
                continue
            event = self._byte(data[at])
            if event is not None:
                found.append(event)
            at += 1
        return found

    def _byte(self, byte: int) -> E | None:
        raise NotImplementedError

    def _run(self, data: bytes, at: int) -> int:
        """Takes what begins there and decides nothing; how many bytes of it."""
        raise NotImplementedError


def take_run(
    plain: re.Pattern[bytes], data: bytes, at: int, held: bytearray, most: int
) -> int:
    """Appends to ``held``, up to ``most`` bytes in all, what matches; how many."""
    found = plain.match(data, at)
    run = found.group()[: most - len(held)] if found else b""
    held += run
    return len(run)
