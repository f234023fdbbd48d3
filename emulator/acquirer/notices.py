"""A provider's pushes: each at least once, again until it is acknowledged.

Faults it knows (``service`` is ``alter_notify``):
    late         it waits a round, so that later ones can arrive before it
    lose_answer  it arrives, its acknowledgment does not
    duplicate    it arrives twice
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from emulator.faults import Faults
from protocols import chinaums as wire
from protocols.errors import RemoteError

Notify = Callable[[bytes], bytes]
ACTIONS = frozenset({"late", "lose_answer", "duplicate"})
_HOUR = 3600.0


@dataclass
class _Push:
    body: bytes
    due: float


class NoticeQueue:
    """Pushes that nobody has acknowledged yet.

    Args:
        notify: takes a push's body and gives the answer's. It is called by the thread
            that delivers, without any lock; it must not wait for the service.
        clock: seconds, any origin.
        pause: seconds from a push without acknowledgment to the next.
    """

    def __init__(
        self, notify: Notify, clock: Callable[[], float], *, pause: float = _HOUR
    ) -> None:
        self.faults = Faults(ACTIONS)
        self._notify = notify
        self._clock = clock
        self._pause = pause
        self._waiting: list[_Push] = []
        self._lock = threading.Lock()
        self._delivering = threading.Lock()

    def add(self, body: bytes) -> None:
        with self._lock:
            self._waiting.append(_Push(body, self._clock()))

    def deliver(self) -> None:
        """Push what is due. One thread does so at a time; another returns at once."""
        if not self._delivering.acquire(blocking=False):
            return
        try:
            for push in self._due():
                self._send(push)
        finally:
            self._delivering.release()

    def _due(self) -> list[_Push]:
        with self._lock:
            return [push for push in self._waiting if push.due <= self._clock()]

    def _send(self, push: _Push) -> None:
        push.due = self._clock() + self._pause
        fault = self.faults.take(wire.NOTICE)
        action = fault.action if fault else ""
        if action == "late":
            return
        if action == "duplicate":
            self._acknowledged(push)
        if self._acknowledged(push) and action != "lose_answer":
            with self._lock:
                self._waiting.remove(push)

    def _acknowledged(self, push: _Push) -> bool:
        try:
            answer = self._notify(push.body)
        except Exception:  # whatever befell the receiver, it did not acknowledge
            return False
        try:
            return wire.parse_answer(answer).ok
        except RemoteError:
            return False
