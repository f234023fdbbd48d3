"""A warm process that forks: every child works on one set-up and may die of it.

A program of its own, started by ``zygote.Zygote``. It imports all of posctl once, so
that a child begins in milliseconds, with no thread but its own. A child does command
after command, each of which opens everything from disk anew, and wraps two things of
posctl from outside, as the product has no hook: the event log's writing and the clock.

Messages are JSON on one SOCK_SEQPACKET socket, whose descriptor is the argument.

    to the zygote   {"fork": {"home": path, "strikes": [strike, …], "watched": bool}};
                    "stay", not "fork": it does the commands itself
    to a child      {"run": [word, …], "ahead": seconds, "answers": [[pattern, answer],
                     …]}, {"go": {…}}, {} ends it
    from a child    {"ran": {"code": …, "data": …, "err": …}}
                    {"at": [place, kind, nth]} waits for "go", as does
                    {"struck": [place, fault], "said": what it printed so far}
    from the zygote {"ended": status as of waitpid}

``go`` may say what the child does to itself: "ahead", by how many seconds its clock
jumps; "silent", that a host will not answer; "largest", the size in bytes that no file
may outgrow from now on.

A strike is [place, kind, nth, moment, fault]; ``nth`` counts the child's appends of
that place and kind, or ``*`` stands for either place, and for any kind in any place.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import pkgutil
import re
import resource
import signal
import socket
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import posctl
from posctl.cli import main as command_line
from posctl.model import clock
from posctl.model.deadline import Deadline
from posctl.store import eventlog
from posctl.store.eventlog import EventLog

MESSAGE = 1 << 18
LONGEST_TEXT = 20_000
SLEEP = 0.02
"""The longest pause between two questions, in seconds: time is scaled."""
BUSY = 0.05
"""How long a store that is in use is waited for; posctl's own is 5 s."""
SHORT = 0.5
"""What is left of each deadline after a host fell silent."""

SIGNALS = {
    "SIGKILL": signal.SIGKILL,
    "SIGTERM": signal.SIGTERM,
    "Ctrl-C": signal.SIGINT,
}
ALL = "*"


class Wire:
    """One message a packet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, **message: Any) -> None:
        self.sock.send(json.dumps(message).encode())

    def receive(self) -> dict[str, Any]:
        """Empty when the other end is gone."""
        packet = self.sock.recv(MESSAGE)
        return dict(json.loads(packet)) if packet else {}


class Answers(io.StringIO):
    """A person at the keyboard, who answers what was asked last; ``said`` is what the
    command has printed for him."""

    def __init__(self, said: io.StringIO, known: list[list[str]]) -> None:
        super().__init__()
        self._said, self._known = said, known

    def readline(self, size: int | None = -1, /) -> str:
        asked = [x for x in self._said.getvalue().splitlines() if x.startswith("? ")]
        for pattern, answer in self._known:
            if found := re.search(pattern, asked[-1]):
                return found.expand(answer) + "\n"
        return ""


class Child:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def begin(self, plan: dict[str, Any]) -> None:
        self.strikes = [tuple(strike) for strike in plan["strikes"]]
        self.watched = bool(plan["watched"])
        self.ahead = 0.0
        self.met: Counter[tuple[str, str]] = Counter()
        self.shortest = float("inf")
        os.environ["POSCTL_HOME"] = plan["home"]

    def wrap(self) -> None:
        for name in ("append", "absorb"):
            setattr(EventLog, name, self._counted(getattr(EventLog, name)))
        EventLog._add = self._entered(EventLog._add)  # type: ignore[method-assign]
        clock.SystemClock.now = lambda _clock: self._now()  # type: ignore[method-assign]
        clock.SystemClock.sleep = staticmethod(  # type: ignore[assignment,method-assign]
            lambda *given: time.sleep(min(given[-1], SLEEP))
        )
        eventlog._BUSY_SECONDS = BUSY
        init = Deadline.__init__

        def shortened(deadline: Deadline, seconds: float) -> None:
            init(deadline, min(seconds, self.shortest))

        Deadline.__init__ = shortened  # type: ignore[method-assign]

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    # -- points ------------------------------------------------------------------

    def _counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(log: EventLog, what: Any, *rest: Any, **options: Any) -> Any:
            place = log.path.parent.name
            kind = str(rest[0]) if write.__name__ == "append" else "(absorb)"
            self.met.update([(place, kind), (ALL, kind), (ALL, ALL)])
            self.inside = (place, kind)
            self._reach(place, kind, "before")
            written = write(log, what, *rest, **options)
            self._reach(place, kind, "after")
            return written

        return wrapped

    def _entered(self, add: Callable[..., Any]) -> Callable[..., Any]:
        """Within the transaction: a row is written, nothing is committed."""

        def wrapped(log: EventLog, *given: Any) -> None:
            add(log, *given)
            self._reach(*self.inside, "within")

        return wrapped

    def _reach(self, place: str, kind: str, moment: str) -> None:
        if self.watched and moment == "before":
            self._tell(at=[place, kind, self.met[place, kind]])
        for strike in tuple(self.strikes):
            where, what, nth, when, fault = strike
            here = ((place, kind), (ALL, kind), (ALL, ALL))
            if (where, what) not in here or when != moment:
                continue
            if self.met[where, what] == nth:
                self.strikes.remove(strike)
                self._strike(place, fault)

    def _strike(self, place: str, fault: str) -> None:
        said = self.err.getvalue()[-LONGEST_TEXT:]
        done = self._tell(struck=[place, fault], said=said)
        if fault in SIGNALS:
            os.kill(os.getpid(), SIGNALS[fault])
            return
        self.ahead += done.get("ahead", 0)
        self.shortest = SHORT if done.get("silent") else self.shortest
        if "largest" in done:
            _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (done["largest"], hard))

    def _tell(self, **message: Any) -> dict[str, Any]:
        self.wire.send(**message)
        return dict(self.wire.receive()["go"])

    # -- commands ------------------------------------------------------------------

    def serve(self) -> None:
        while asked := self.wire.receive():
            self.ahead = float(asked["ahead"])
            self.wire.send(ran=self.run(asked["run"], asked["answers"]))

    def run(self, words: list[str], answers: list[list[str]]) -> dict[str, Any]:
        out, err = io.StringIO(), io.StringIO()
        self.err = err
        sys.stdin = Answers(err, answers)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = command_line._run([*words, "--json"])
            except BaseException:  # nothing may get out of a command
                code = -1
                err.write(traceback.format_exc())
        text = out.getvalue()
        data = json.loads(text) if text else {}
        return {"code": code, "data": data, "err": err.getvalue()[-LONGEST_TEXT:]}


def import_all() -> None:
    """What a command would import when it is used."""
    for module in pkgutil.walk_packages(posctl.__path__, "posctl."):
        with contextlib.suppress(ImportError):  # pyscard may be missing
            if not module.name.endswith("__main__"):
                import_module(module.name)


def fork(child: Child) -> int:
    """The child's status when it has ended."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, command_line._terminate)
            child.serve()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def main() -> None:
    wire = Wire(socket.socket(fileno=int(sys.argv[1])))
    import_all()
    child = Child(wire)
    child.wrap()
    while message := wire.receive():
        child.begin(message.get("fork") or message["stay"])
        if "stay" in message:
            child.serve()
            gc.collect()
            gc.freeze()
        wire.send(ended=fork(child) if "fork" in message else 0)


if __name__ == "__main__":
    main()
