"""Bytes at the speed of a serial line, on an absolute schedule: no delay adds up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

_TICK = 0.002
"""Seconds: what falls due within one is delivered together."""
_EARLY = 0.0005
"""Seconds: the event loop rounds a wait up to a whole millisecond; half of one less
makes it as often early as late, and the schedule is absolute all the same."""


@dataclass(frozen=True)
class LineSettings:
    """A terminal's serial line.

    Args:
        baud: bits a second.
        wrong_baud: what a client with other settings gets: ``silence``, or ``garbage``
            for whatever it sends.
        paced: bytes take the time that they take on a wire, both ways.
        bytesize: 7 or 8; ``parity``: N, E, O; ``stop_bits``: 1 or 2. A pty has 8N only.
        needs_dtr: a client that holds DTR low gets nothing, and is not heard.
    """

    baud: int = 9600
    wrong_baud: str = "silence"
    paced: bool = False
    bytesize: int = 8
    parity: str = "N"
    stop_bits: int = 1
    needs_dtr: bool = False

    @property
    def seconds_a_byte(self) -> float:
        """0 where it is not paced."""
        bits = 1 + self.bytesize + (self.parity != "N") + self.stop_bits
        return bits / self.baud if self.paced else 0.0


class Pace:
    """Passes bytes on to ``deliver``, each when its last bit would have come."""

    def __init__(self, seconds_a_byte: float, deliver: Callable[[bytes], None]) -> None:
        self._each = seconds_a_byte
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._held = bytearray()
        self._begun = self._free = 0.0
        self._done = 0
        self._timer: asyncio.TimerHandle | None = None

    def push(self, data: bytes) -> None:
        if not self._each:
            return self._deliver(data)
        if not data:
            return
        if not self._held:
            self._begun, self._done = max(self._loop.time(), self._free), 0
        self._held += data
        if self._timer is None:
            self._arm()

    def drop(self) -> None:
        """What is under way is lost."""
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        """For the next byte, or a tick on; never past the last byte."""
        due = self._begun + (self._done + 1) * self._each
        last = self._begun + (self._done + len(self._held)) * self._each
        when = max(due, min(self._loop.time() + _TICK, last))
        self._timer = self._loop.call_at(when - _EARLY, self._on)

    def _on(self) -> None:
        self._timer = None
        passed = self._loop.time() - self._begun + _EARLY + 1e-6
        count = min(int(passed / self._each) - self._done, len(self._held))
        due = bytes(self._held[:count])
        del self._held[:count]
        self._done += count
        self._free = self._begun + self._done * self._each
        if self._held:
            self._arm()
        if due:
            self._deliver(due)
