"""The event log: durable events against the disk's own limit, and a store of years."""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from posctl.change.order import fold
from posctl.model.canonical import canonical
from posctl.model.clock import stamp
from posctl.store.eventlog import GENESIS, LOOKED_UP, Event, EventLog, _next_head

_EVENTS = 400
_PAYLOAD = {"operator": "li", "reason": "frozen.request"}
_OPENED = {
    "operator": "li",
    "profile": "emulator",
    "profile_version": 1,
    "profile_sha256": "0" * 64,
    "confirm": "binding_tag",
    "field_id": "AAAA",
    "address": "/dev/ttyUSB0",
    "steps": [],
    "account_type": "card",
}
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


class TickingClock:
    """A minute later each time it is asked."""

    def __init__(self) -> None:
        self.moment = datetime(2020, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.moment += timedelta(minutes=1)
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def durable_events(folder: Path) -> tuple[float, float]:
    """Events a second of ours, and bare commits a second of SQLite on the same disk,
    by turns: WAL, synchronous=FULL, one row of the same size each."""
    log = EventLog(folder / "log.db", fold, TickingClock())
    log.append("AAAA-00001", "order.opened", _OPENED)
    bare = _bare(folder / "bare.db")
    row = canonical(_PAYLOAD).decode() + "x" * 400  # payload, hashes, projection
    ours, peer = [], []
    for _turn in range(_EVENTS):
        ours.append(_timed(lambda: _append(log)))
        peer.append(_timed(lambda: _commit(bare, row)))
    log.close()
    return 1 / statistics.median(ours), 1 / statistics.median(peer)


def _append(log: EventLog) -> None:
    log.append("AAAA-00001", "step.failed", {"step": "windows", "cause": "busy"})


def _bare(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT)")
    return db


def _commit(db: sqlite3.Connection, row: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO rows (body) VALUES (?)", (row,))
    db.execute("COMMIT")


def _timed(what: Callable[[], None]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


# -- many orders ----------------------------------------------------------------------


def fill(path: Path, count: int) -> None:
    """A store of ``count`` orders that were opened and cancelled, all but the last ten,
    with chains that verify; one transaction, because only its size is measured."""
    clock = TickingClock()
    log = EventLog(path, fold, clock)
    with _one_transaction(log) as db:
        head = GENESIS
        for number in map(_number, range(count)):
            ended = number < _number(max(0, count - 10))
            events, projection = _events(number, clock, ended)
            for event in events:
                head = _next_head(head, event.hash)
                db.execute(_INSERT, (*_columns(event), head))
            text = canonical(projection).decode()
            parts = [projection[name] for name in LOOKED_UP]
            marks = ", ?" * len(LOOKED_UP)
            sql = f"INSERT INTO orders VALUES (?, ?{marks})"  # noqa: S608
            db.execute(sql, (number, text, *parts))
    log.close()


_INSERT = (
    "INSERT INTO events (order_id, position, time, kind, payload, previous, hash, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def _number(index: int) -> str:
    digits = []
    for _place in range(5):
        index, digit = divmod(index, len(_LETTERS))
        digits.append(_LETTERS[digit])
    return "AAAA-" + "".join(reversed(digits))


def _events(
    number: str, clock: TickingClock, ended: bool
) -> tuple[list[Event], dict[str, Any]]:
    events: list[Event] = []
    projection: dict[str, Any] | None = None
    kinds = [("order.opened", _OPENED)]
    if ended:
        kinds.append(("order.cancelled", _PAYLOAD))
    for kind, payload in kinds:
        before = events[-1] if events else None
        event = Event.chained(number, before, stamp(clock.now()), kind, payload)
        projection = fold(projection, event)
        events.append(event)
    assert projection is not None
    return events, projection


def _columns(event: Event) -> tuple[object, ...]:
    return (
        *(event.order_id, event.position, event.time, event.kind),
        *(canonical(event.payload).decode(), event.previous, event.hash),
    )


@contextmanager
def _one_transaction(log: EventLog) -> Iterator[sqlite3.Connection]:
    log._db.execute("BEGIN")
    yield log._db
    log._db.execute("COMMIT")


_LIST = """
import sys, time
from pathlib import Path
from posctl.change.order import Order, fold
from posctl.model.clock import SystemClock
from posctl.store.eventlog import EventLog
started = time.perf_counter()
log = EventLog(Path(sys.argv[1]), fold, SystemClock())
listed = [Order.from_json(p) for p in log.projections(newest=100)]
still = [Order.from_json(p) for p in log.projections(state=["DRAFT", "PROPOSED"])]
print(time.perf_counter() - started, len(listed), len(still))
"""


def open_and_list(path: Path) -> float:
    """Seconds to open it in a new process, list the youngest hundred and what is
    open."""
    done = subprocess.run(
        (sys.executable, "-c", _LIST, str(path)),
        check=True,
        capture_output=True,
        text=True,
    )
    took, listed, still = done.stdout.split()
    assert (int(listed), int(still)) == (100, 10)
    return float(took)


def sizes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))
