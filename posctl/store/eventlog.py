"""The event log: journal, audit trail and evidence are the same rows (SQLite).

Two hash chains run through each row. ``hash`` chains the events of ONE order and
travels with it in order files; ``head`` chains ALL rows of this store, so that a row
cut out of it shows. Every append is one durable transaction that also folds the
event into the projection ``orders``: WAL, synchronous=FULL, asserted at opening.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from posctl.model.canonical import Json, canonical, digest
from posctl.model.clock import Clock, stamp
from posctl.model.errors import CheckFailed, LinkFailed

GENESIS = "0" * 64
_SCHEMA_VERSION = 2
_BUSY_SECONDS = 5.0
_FULL = 2
_AT_ONCE = 1000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id TEXT NOT NULL, position INTEGER NOT NULL,
    time TEXT NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL, head TEXT NOT NULL,
    UNIQUE (order_id, position)) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, projection TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS attachments (
    sha256 TEXT PRIMARY KEY, order_id TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
    key TEXT PRIMARY KEY, order_id TEXT NOT NULL, notice TEXT NOT NULL,
    delivered TEXT) STRICT;
"""
LOOKED_UP = ("mid", "tid", "state", "application", "account_id", "effective_at")
"""Parts of a projection that orders are found by: columns of their own, indexed."""

_COLUMNS = "".join(
    f"ALTER TABLE orders ADD COLUMN {name} TEXT;\n"
    f"UPDATE orders SET {name} = json_extract(projection, '$.{name}');\n"
    f"CREATE INDEX orders_{name} ON orders ({name});\n"
    for name in LOOKED_UP
)


@dataclass(frozen=True)
class Event:
    """One thing that happened to an order. ``position`` counts from 1."""

    order_id: str
    position: int
    time: str
    kind: str
    payload: Json
    previous: str
    hash: str

    @classmethod
    def chained(
        cls, order_id: str, after: Event | None, time: str, kind: str, payload: Json
    ) -> Event:
        position, previous = (after.position, after.hash) if after else (0, GENESIS)
        return cls.after(order_id, position, previous, time, kind, payload)

    @classmethod
    def after(
        cls,
        order_id: str,
        last: int,
        previous: str,
        time: str,
        kind: str,
        payload: Json,
    ) -> Event:
        """The one that follows position ``last`` with the hash ``previous``."""
        own = _hash_of(order_id, last + 1, time, kind, payload, previous)
        return cls(order_id, last + 1, time, kind, payload, previous, own)

    def intact(self) -> bool:
        return self.hash == _hash_of(
            self.order_id,
            self.position,
            self.time,
            self.kind,
            self.payload,
            self.previous,
        )

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> Event:
        """Raises ValueError where a part is missing, unknown or of another type."""
        if data.keys() != _PARTS.keys():
            raise ValueError("an event has other parts")
        event = cls(**data)
        if any(type(getattr(event, name)) is not kind for name, kind in _PARTS.items()):
            raise ValueError("an event has parts of other types")
        return event


_PARTS = {
    "order_id": str,
    "position": int,
    "time": str,
    "kind": str,
    "payload": dict,
    "previous": str,
    "hash": str,
}


def _hash_of(*parts: object) -> str:
    return digest(["posctl event 1", *parts])


def _next_head(head: str, event_hash: str) -> str:
    return hashlib.sha256(f"{head}{event_hash}".encode()).hexdigest()


_DIFFERING = "SELECT order_id FROM orders WHERE " + " OR ".join(  # noqa: S608
    f"{name} IS NOT json_extract(projection, '$.{name}')" for name in LOOKED_UP
)
"""Orders whose columns are not what their projection says."""

_WITHOUT_EVENTS = (
    "SELECT order_id FROM orders EXCEPT SELECT order_id FROM events LIMIT 1"
)

Fold = Callable[[Json | None, Event], Json]
"""The projection after an event; raises CheckFailed where no transition allows it."""


class EventLog:
    """The events of one place (field or office) in one file.

    Args:
        path: the SQLite file; made when missing, readable by its owner only.
        fold: turns a projection and an event into the next projection.
        clock: gives every event its time.

    Raises:
        LinkFailed: ``store.unusable``: not ours, damaged, or not writable.
    """

    def __init__(self, path: Path, fold: Fold, clock: Clock) -> None:
        self.path = path
        self._fold = fold
        self._clock = clock
        with _telling(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None
            )
            self._prepare()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")
        if self._db.execute("PRAGMA synchronous").fetchone()[0] != _FULL:
            raise LinkFailed("store.not_durable", path=str(self.path))
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > _SCHEMA_VERSION:
            raise LinkFailed("store.newer", path=str(self.path), version=version)
        if version < _SCHEMA_VERSION:
            self._db.executescript(f"BEGIN; {_SCHEMA} {_COLUMNS} COMMIT;")
            self._db.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")

    def close(self) -> None:
        self._db.close()

    # -- writing ---------------------------------------------------------------

    def append(
        self,
        order_id: str,
        kind: str,
        payload: Json,
        *,
        attachments: Sequence[bytes] = (),
        notices: Mapping[str, Json] | None = None,
        then: Sequence[tuple[str, Json]] = (),
    ) -> Event:
        """Make one event durable, with what belongs to it, or nothing at all.

        Args:
            then: events (kind, payload) that follow at once: all of them or none.
            attachments: bodies kept outside the chain; the payload names them by
                their SHA-256, so that they can be erased and the chain still holds.
            notices: outbox rows by key; a key that is there already is kept.

        Raises:
            CheckFailed: no transition allows this event now.
            LinkFailed: the store could not be written.
        """
        with self._transaction():
            for each in ((kind, payload), *then):
                event = self._chain(order_id, *each)
            self._attach(order_id, attachments)
            self._notify(order_id, notices or {})
        return event

    def _chain(self, order_id: str, kind: str, payload: Json) -> Event:
        position, previous = self._last(order_id)
        time = stamp(self._clock.now())
        event = Event.after(order_id, position, previous, time, kind, payload)
        self._add(event)
        return event

    def notify(self, order_id: str, notices: Mapping[str, Json]) -> None:
        """Outbox rows without an event; a key that is there already is kept."""
        with self._transaction():
            self._notify(order_id, notices)

    def _notify(self, order_id: str, notices: Mapping[str, Json]) -> None:
        for key, notice in notices.items():
            self._db.execute(
                "INSERT OR IGNORE INTO outbox VALUES (?, ?, ?, NULL)",
                (key, order_id, canonical(notice).decode()),
            )

    def undelivered(self) -> list[tuple[str, str, Json]]:
        """Key, order and notice of what nobody has been told yet, oldest first."""
        rows = self._rows(
            "SELECT key, order_id, notice FROM outbox WHERE delivered IS NULL"
            " ORDER BY rowid"
        )
        return [(key, order, _json(notice)) for key, order, notice in rows]

    def mark_delivered(self, key: str) -> None:
        with self._transaction():
            self._db.execute(
                "UPDATE outbox SET delivered = ? WHERE key = ?",
                (stamp(self._clock.now()), key),
            )

    def erase(self, sha256s: Sequence[str]) -> None:
        """Forget bodies for good; the events that name them stay (secure_delete)."""
        with self._transaction():
            self._db.executemany(
                "DELETE FROM attachments WHERE sha256 = ?", [(s,) for s in sha256s]
            )
        with _telling(self.path):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def attach(self, order_id: str, bodies: Sequence[bytes]) -> None:
        """Make bodies durable before an event names them by their SHA-256."""
        with self._transaction():
            self._attach(order_id, bodies)

    def absorb(self, events: Sequence[Event], attachments: Sequence[bytes]) -> int:
        """Take over an order's events from its order file; how many were new.

        The events must be an intact chain that continues what this store holds.

        Raises:
            CheckFailed: ``chain.broken``, ``chain.forked``, or no such transition.
        """
        check_chain(events)
        order_id = events[0].order_id
        with self._transaction():
            known = {e.position: e.hash for e in self.events(order_id)}
            for event in events:
                if known.get(event.position, event.hash) != event.hash:
                    raise CheckFailed("chain.forked", order=order_id)
            fresh = [e for e in events if e.position not in known]
            for event in fresh:
                self._add(event)
            self._attach(order_id, attachments)
        return len(fresh)

    def _add(self, event: Event) -> None:
        before = self.projection(event.order_id)
        projection = self._fold(before, event)
        self._db.execute(
            "INSERT INTO events (order_id, position, time, kind, payload, previous,"
            " hash, head) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.order_id,
                event.position,
                event.time,
                event.kind,
                canonical(event.payload).decode(),
                event.previous,
                event.hash,
                _next_head(self.head(), event.hash),
            ),
        )
        self._project(event.order_id, before or {}, projection)

    def _project(self, order_id: str, before: Json, after: Json) -> None:
        """Writes only those of its columns that have changed: each has an index."""
        if not before:
            self._db.execute(
                "INSERT INTO orders (order_id, projection) VALUES (?, '')", (order_id,)
            )
        changed = [n for n in LOOKED_UP if before.get(n) != after.get(n)]
        columns = "".join(f", {name} = ?" for name in changed)
        self._db.execute(
            f"UPDATE orders SET projection = ?{columns} WHERE order_id = ?",  # noqa: S608
            (canonical(after).decode(), *(after.get(n) for n in changed), order_id),
        )

    def _attach(self, order_id: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._db.execute(
                "INSERT OR IGNORE INTO attachments VALUES (?, ?, ?)",
                (hashlib.sha256(body).hexdigest(), order_id, body),
            )

    # -- reading ---------------------------------------------------------------

    def events(self, order_id: str) -> list[Event]:
        rows = self._rows(
            "SELECT order_id, position, time, kind, payload, previous, hash"
            " FROM events WHERE order_id = ? ORDER BY position",
            (order_id,),
        )
        return [_event(row) for row in rows]

    def projection(self, order_id: str) -> Json | None:
        row = self._row("SELECT projection FROM orders WHERE order_id = ?", (order_id,))
        return _json(row[0]) if row else None

    def projections(
        self,
        *,
        newest: int | None = None,
        since: str = "",
        but: Iterable[str] = (),
        **parts: Iterable[str],
    ) -> list[Json]:
        """Of all orders, oldest first; or of those that fit.

        Args:
            newest: at most so many, those that this store met last.
            since: effective at that time (as ``stamp`` writes it) or later.
            but: not those orders.
            parts: names of ``LOOKED_UP``, with the values that fit.
        """
        found = [(_part_in(name), json.dumps([*v])) for name, v in parts.items()]
        if since:
            found.append(("effective_at >= ?", since))
        if without := [*but]:
            found.append((_NOT_AMONG, json.dumps(without)))
        where = " AND ".join(["1", *(sql for sql, _value in found)])
        limit = -1 if newest is None else newest
        rows = self._rows(
            f"SELECT projection FROM orders WHERE {where}"  # noqa: S608 - our names
            f" ORDER BY rowid DESC LIMIT {limit:d}",
            tuple(value for _sql, value in found),
        )
        return [_json(row[0]) for row in reversed(rows)]

    def attachment(self, sha256: str) -> bytes:
        """The body of that hash, checked against it.

        Raises:
            CheckFailed: ``attachment.missing`` or ``attachment.changed``.
        """
        row = self._row("SELECT body FROM attachments WHERE sha256 = ?", (sha256,))
        if row is None:
            raise CheckFailed("attachment.missing", sha256=sha256)
        body = bytes(row[0])
        if hashlib.sha256(body).hexdigest() != sha256:
            raise CheckFailed("attachment.changed", sha256=sha256)
        return body

    def outbox(self) -> list[tuple[str, str, Json]]:
        """Key, order and notice of every row, oldest first."""
        rows = self._rows("SELECT key, order_id, notice FROM outbox ORDER BY rowid")
        return [(key, order, _json(notice)) for key, order, notice in rows]

    def head(self) -> str:
        """The store's chain head: 64 hexadecimal digits."""
        row = self._row("SELECT head FROM events ORDER BY sequence DESC LIMIT 1")
        return str(row[0]) if row else GENESIS

    def count(self) -> int:
        (row,) = self._rows("SELECT COUNT(*) FROM events")
        return int(row[0])

    def count_after(self, kinds: Sequence[str]) -> int:
        """How many events are younger than the last of these kinds."""
        (row,) = self._rows(
            "SELECT COUNT(*) FROM events WHERE sequence > (SELECT COALESCE("
            "MAX(sequence), 0) FROM events WHERE kind IN"
            " (SELECT value FROM json_each(?)))",
            (json.dumps(list(kinds)),),
        )
        return int(row[0])

    def known_heads(self, heads: Iterable[str]) -> set[str]:
        """Those that this store had once, as its own head or as that of an order."""
        sql = "SELECT 1 FROM events WHERE head = ? OR hash = ? LIMIT 1"
        return {head for head in heads if self._rows(sql, (head, head))}

    def newest_profile(self, name: str, kind: str, by: str) -> int:
        """The highest version of that profile that the events of this kind name; of
        those that say by which place they were made, only that place's. 0: none."""
        (row,) = self._rows(
            "SELECT MAX(CAST(json_extract(payload, '$.profile_version') AS INTEGER))"
            " FROM events WHERE kind = ? AND json_extract(payload, '$.profile') = ?"
            " AND COALESCE(json_extract(payload, '$.by'), ?) = ?",
            (kind, name, by, by),
        )
        return int(row[0] or 0)

    def newest_revocations(self) -> int:
        """The highest number of a list that an approval names; 0 where none does."""
        (row,) = self._rows(
            "SELECT MAX(CAST(json_extract(payload, '$.revocations') AS INTEGER))"
            " FROM events WHERE kind = 'order.approved'"
        )
        return int(row[0] or 0)

    def all_events(self) -> Iterator[Event]:
        """In the order in which this store came to know them."""
        for row in self._stream(
            "SELECT order_id, position, time, kind, payload, previous, hash"
            " FROM events ORDER BY sequence"
        ):
            yield _event(row)

    def _stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Rows as they come: a log of years does not fit in memory."""
        with _telling(self.path):
            cursor = self._db.execute(sql)
        while True:
            with _telling(self.path):
                rows = cursor.fetchmany(_AT_ONCE)
            if not rows:
                return
            yield from rows

    def verify(self) -> None:
        """Both chains and the projection against the events.

        Raises:
            CheckFailed: ``log.broken`` with the sequence number where it breaks, or
                ``log.projection`` with the order whose projection does not fold.
        """
        head = GENESIS
        last: dict[str, Event] = {}
        folded: dict[str, Json] = {}
        rows = self._stream(
            "SELECT order_id, position, time, kind, payload, previous, hash, head,"
            " sequence FROM events ORDER BY sequence"
        )
        for row in rows:
            event = _event(row[:7])
            head = _next_head(head, event.hash)
            before = last.get(event.order_id)
            expected = (before.position + 1, before.hash) if before else (1, GENESIS)
            linked = (event.position, event.previous) == expected
            if not (linked and event.intact() and head == row[7]):
                raise CheckFailed("log.broken", sequence=row[8])
            folded[event.order_id] = self._fold(folded.get(event.order_id), event)
            last[event.order_id] = event
        for order_id, projection in folded.items():
            if projection != self.projection(order_id):
                raise CheckFailed("log.projection", order=order_id)
        for (order_id,) in self._rows(_WITHOUT_EVENTS):
            raise CheckFailed("log.projection", order=order_id)
        for (order_id,) in self._rows(_DIFFERING):
            raise CheckFailed("log.projection", order=order_id)

    def _last(self, order_id: str) -> tuple[int, str]:
        """Position and hash of an order's last event."""
        row = self._row(
            "SELECT position, hash FROM events WHERE order_id = ?"
            " ORDER BY position DESC LIMIT 1",
            (order_id,),
        )
        return (int(row[0]), str(row[1])) if row else (0, GENESIS)

    def _rows(self, sql: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        with _telling(self.path):
            return self._db.execute(sql, values).fetchall()

    def _row(self, sql: str, values: tuple[str, ...] = ()) -> tuple[Any, ...] | None:
        rows = self._rows(sql, values)
        return rows[0] if rows else None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _telling(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


_NOT_AMONG = "order_id NOT IN (SELECT value FROM json_each(?))"


def _part_in(name: str) -> str:
    if name not in LOOKED_UP:
        raise ValueError(name)
    return name + " IN (SELECT value FROM json_each(?))"  # noqa: S608 - ours


def _json(text: object) -> Json:
    try:
        return dict(json.loads(str(text)))
    except (ValueError, TypeError, RecursionError):
        raise CheckFailed("log.unreadable") from None


def _event(row: Sequence[Any]) -> Event:
    order_id, position, time, kind, payload, previous, own = row
    return Event(
        str(order_id),
        int(position),
        str(time),
        str(kind),
        _json(payload),
        str(previous),
        str(own),
    )


def check_chain(events: Sequence[Event]) -> None:
    """One order, positions from 1, every link and hash right.

    Raises:
        CheckFailed: ``chain.broken`` with the position where it breaks.
    """
    before: Event | None = None
    for event in events:
        position = before.position + 1 if before else 1
        previous = before.hash if before else GENESIS
        same_order = before is None or before.order_id == event.order_id
        linked = (event.position, event.previous) == (position, previous)
        if not (same_order and linked and event.intact()):
            raise CheckFailed("chain.broken", position=position)
        before = event
    if before is None:
        raise CheckFailed("chain.broken", position=1)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """SQLite's and the disk's errors as ours, with the path."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "sqlite_errorname", type(error).__name__)
        code = "store.locked" if reason == "SQLITE_BUSY" else "store.unusable"
        raise LinkFailed(code, path=str(path), reason=reason) from error
