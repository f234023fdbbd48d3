"""The points of a course, found by going through it, and what can strike at each.

A point is before, within or after one append to a store. A fault of a wire strikes
the next exchange on it; where the command has no exchange left on that wire, there is
nothing to strike, and the pair is not made. ``pairs`` counts these, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from course import walk
from stage import ARMED, Setting, Stage
from zygote import Listener, Strike

MOMENTS = ("before", "within", "after")


@dataclass(frozen=True)
class Point:
    """``left`` holds the wires on which the command has exchanges still to come;
    ``stores`` those to which the course still appends, this append included before
    it; ``command`` the one that reached it."""

    command: str
    place: str
    kind: str
    nth: int
    moment: str
    left: frozenset[str]
    stores: frozenset[str]

    def strike(self, fault: str) -> Strike:
        return Strike(self.place, self.kind, self.nth, self.moment, fault)

    def __str__(self) -> str:
        return f"{self.moment} {self.place} {self.kind}"


FAULTS = {
    "SIGKILL": "",
    "SIGTERM": "",
    "Ctrl-C": "",
    "unplugged": "terminal",
    "power cut": "terminal",
    "card removed": "card",
    **{fault: fault.partition(":")[0] for fault in ARMED},
    "disk full": "",
    "store locked": "",
    "clock forward": "",
    "clock back": "",
}
"""Every fault, and the wire whose next exchange it strikes, if it is one of a wire."""

STRIKES_WITHIN = ("SIGKILL", "SIGTERM", "Ctrl-C", "disk full")
"""What can end a transaction between its first row and its commit."""
_WRITES = ("disk full", "store locked")


@dataclass(frozen=True)
class Pair:
    """One point and one fault."""

    point: Point
    fault: str

    @property
    def strike(self) -> Strike:
        return self.point.strike(self.fault)

    def __str__(self) -> str:
        return f"{self.fault} {self.point}"


@dataclass(frozen=True)
class Seen:
    """An append that a course reached, and the exchanges until then."""

    command: int
    place: str
    kind: str
    nth: int
    asked: dict[str, int]


class Recorder:
    """Goes through a course once, with nothing that goes wrong."""

    def __init__(self, stage: Stage, setting: Setting) -> None:
        self.stage, self.setting = stage, setting
        self.seen: list[Seen] = []
        self.ends: list[dict[str, int]] = []
        self.commands: list[str] = []

    def record(self) -> list[Point]:
        """Every moment of every append, in their order."""
        self.stage.reset(self.setting)
        self.ran = walk(self.stage, Listener(at=self._at), self._began, watched=True)
        self.ends.append(self.stage.asked())
        return [p for at, seen in enumerate(self.seen) for p in self._points(at, seen)]

    def _began(self, command: str) -> None:
        if self.commands:
            self.ends.append(self.stage.asked())
        self.commands.append(command)

    def _at(self, place: str, kind: str, nth: int) -> None:
        command = len(self.commands) - 1
        self.seen.append(Seen(command, place, kind, nth, self.stage.asked()))

    def _points(self, at: int, seen: Seen) -> Iterator[Point]:
        command, end = self.commands[seen.command], self.ends[seen.command]
        left = frozenset(w for w, n in seen.asked.items() if n < end[w])
        for moment, first in zip(MOMENTS, (at, at, at + 1), strict=True):
            stores = frozenset(s.place for s in self.seen[first:])
            yield Point(command, seen.place, seen.kind, seen.nth, moment, left, stores)


def pairs(points: list[Point]) -> tuple[list[Pair], Counter[tuple[str, str]]]:
    """Every pair that can be, and how many cannot: by fault and reason."""
    made: list[Pair] = []
    left_out: Counter[tuple[str, str]] = Counter()
    for point in points:
        for fault, wire in FAULTS.items():
            if why := _why_not(point, fault, wire):
                left_out[fault, why] += 1
            else:
                made.append(Pair(point, fault))
    return made, left_out


def _why_not(point: Point, fault: str, wire: str) -> str:
    if point.moment == "within" and fault not in STRIKES_WITHIN:
        return "within an append it is as before it"
    if wire and wire not in point.left:
        return f"`{point.command}` has no exchange with the {wire} after it"
    if fault in _WRITES and not point.stores:
        return "nothing is written after it"
    if fault == "store locked" and point.place not in point.stores:
        return f"nothing is written to the {point.place}'s store after it"
    return ""
