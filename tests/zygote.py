"""The other end of ``zygote_child``: start it, fork children, talk to them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MESSAGE = 1 << 18
ALL = "*"
LONGEST = 60.0
"""No command of an attempt takes that many seconds."""


@dataclass(frozen=True)
class Strike:
    """One fault at one point: before, within or after the ``nth`` append of a kind.

    ``ALL`` for the place: in either, and for both place and kind: the nth of all.
    """

    place: str
    kind: str
    nth: int
    moment: str
    fault: str

    def __str__(self) -> str:
        nth = f" {self.nth}" if self.nth > 1 or self.kind == "*" else ""
        return f"{self.fault} {self.moment} {self.place} {self.kind}{nth}"


@dataclass(frozen=True)
class Ran:
    """How a command ended. A signal that killed it is a negative code."""

    words: tuple[str, ...]
    code: int
    data: dict[str, Any]
    err: str

    @property
    def result(self) -> dict[str, Any]:
        return dict(self.data.get("result", {}))

    @property
    def error(self) -> dict[str, Any]:
        return dict(self.data.get("error", {}))

    def __str__(self) -> str:
        code = self.error.get("code") or self.result.get("state") or ""
        return f"{' '.join(self.words[:3])}: {self.code} {code}"


@dataclass
class Listener:
    """What the other processes do while a child waits. ``struck`` gives what the child
    must do itself (see ``zygote_child``); a watched one tells ``at`` of its appends."""

    struck: Callable[[str, str], dict[str, Any]] = lambda place, fault: {}
    at: Callable[[str, str, int], None] = lambda place, kind, nth: None


@dataclass
class Plan:
    """What a child is made with; a watched one tells of its appends."""

    home: Path
    strikes: tuple[Strike, ...] = ()
    watched: bool = False

    def message(self) -> dict[str, Any]:
        strikes = [[s.place, s.kind, s.nth, s.moment, s.fault] for s in self.strikes]
        return {**vars(self), "home": str(self.home), "strikes": strikes}


class Zygote:
    """A warm process; one child at a time. Close it, or use it with ``with``."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.settimeout(LONGEST)
        program = Path(__file__).with_name("zygote_child.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**environment, "POSCTL_LANG": "en"},
        )
        theirs.close()

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The process ends when nobody is at the other end any more."""
        self._sock.close()
        try:
            self._process.wait(timeout=LONGEST)
        finally:
            self._process.kill()

    def fork(self, plan: Plan, listener: Listener | None = None) -> Child:
        self.send(fork=plan.message())
        return Child(self, listener or Listener())

    def stay(self, plan: Plan) -> Child:
        """The warm process itself, which is warmer afterwards; no strikes."""
        self.send(stay=plan.message())
        return Child(self, Listener())

    def send(self, **message: Any) -> None:
        self._sock.send(json.dumps(message).encode())

    def receive(self) -> dict[str, Any]:
        return dict(json.loads(self._sock.recv(MESSAGE)))


class Child:
    """One forked process that does commands until it is ended, or dies."""

    def __init__(self, zygote: Zygote, listener: Listener) -> None:
        self._zygote = zygote
        self._listener = listener
        self.alive = True
        self._said = ""

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(
        self, *words: str, ahead: float = 0.0, answers: Sequence[list[str]] = ()
    ) -> Ran:
        """One command, by a clock that is so many seconds ahead; ``answers`` are
        patterns of questions and what is typed then."""
        self._zygote.send(run=words, ahead=ahead, answers=answers)
        while True:
            message = self._zygote.receive()
            if ran := message.get("ran"):
                return Ran(words, **ran)
            if "ended" in message:
                self.alive = False
                code = os.waitstatus_to_exitcode(message["ended"])
                return Ran(words, code, {}, self._said)
            self._zygote.send(go=self._obey(message))

    def _obey(self, message: dict[str, Any]) -> dict[str, Any]:
        if "struck" in message:
            self._said = message["said"]  # if it is the last that is heard of it
            return self._listener.struck(*message["struck"])
        self._listener.at(*message["at"])
        return {}

    def end(self) -> None:
        if self.alive:
            self.alive = False
            self._zygote.send()
            while "ended" not in self._zygote.receive():
                pass
