"""What goes wrong, and when: a table of rules, matched by name, never by chance."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

ANY = "*"


@dataclass(frozen=True)
class Fault:
    """One rule. What an action means is told by the host that obeys it.

    Args:
        service: name of the call, message or command it strikes; ``*`` strikes all.
        action: what to do wrong, as in ``drop_answer``.
        times: how often it strikes before it is spent.
        after: how many matching calls pass unharmed first.
        seconds: for actions that take time.
        body: for actions that put other bytes in the place of an answer.
    """

    service: str
    action: str
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    body: bytes = b""


class Faults:
    """The rules of one host, in the order added; safe to use from any thread.

    Args:
        actions: the actions that the host knows.

    Attributes:
        asked: how often each service was called, with a fault or without.
        struck: the faults that struck, in their order.
    """

    def __init__(self, actions: frozenset[str]) -> None:
        self._actions = actions
        self._lock = threading.Lock()
        self._rules: list[tuple[Fault, list[int]]] = []
        self.asked: Counter[str] = Counter()
        self.struck: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Arm a rule.

        Raises:
            ValueError: the host does not know its action.
        """
        if fault.action not in self._actions:
            raise ValueError(f"{fault.action}: one of {sorted(self._actions)}")
        with self._lock:
            self._rules.append((fault, [fault.after, fault.times]))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, service: str) -> Fault | None:
        """The fault that strikes this call, if any; it is counted as used."""
        with self._lock:
            self.asked[service] += 1
            for fault, left in self._rules:
                if fault.service in (ANY, service) and self._strikes(left):
                    self.struck.append(fault)
                    return fault
        return None

    @staticmethod
    def _strikes(left: list[int]) -> bool:
        after, times = left
        if after:
            left[0] -= 1
            return False
        left[1] = max(0, times - 1)
        return times > 0
