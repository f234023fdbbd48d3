"""The event log: durable, chained, folded: R50 as far as one store goes, R37."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from posctl.model.canonical import Json
from posctl.model.clock import SystemClock
from posctl.model.errors import CheckFailed, LinkFailed
from posctl.store.eventlog import _SCHEMA, Event, EventLog, check_chain


def count_fold(before: Json | None, event: Event) -> Json:
    if event.kind == "forbidden":
        raise CheckFailed("order.transition")
    return {"count": (before["count"] if before else 0) + 1, "last": event.kind}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[EventLog]:
    opened = EventLog(path, count_fold, SystemClock())
    for number in ("A", "B"):
        for kind in ("one", "two", "three"):
            opened.append(number, kind, {"n": 1, "text": "银联·卡"})
    yield opened
    opened.close()


def test_events_come_back_as_written(log: EventLog) -> None:
    events = log.events("A")
    check_chain(events)
    assert [e.kind for e in events] == ["one", "two", "three"]
    assert events[0].payload == {"n": 1, "text": "银联·卡"}
    assert log.projection("A") == {"count": 3, "last": "three"}


@pytest.mark.req("R50")
def test_an_intact_log_verifies(log: EventLog) -> None:
    log.verify()


DAMAGE = {
    "edit": "UPDATE events SET payload = '{\"n\":2}' WHERE sequence = 2",
    "time": "UPDATE events SET time = '2020-01-01T00:00:00.000Z' WHERE sequence = 2",
    "cut": "DELETE FROM events WHERE sequence = 2",
    "cut an order": "DELETE FROM events WHERE order_id = 'A'",
    "swap": "UPDATE events SET sequence = 7 - sequence + 100 WHERE sequence IN (3, 4)",
    "column": "UPDATE orders SET state = 'CLOSED' WHERE order_id = 'B'",
    "projection": "UPDATE orders SET projection = '{\"count\":9}' WHERE order_id = 'B'",
}


@pytest.mark.req("R50")
@pytest.mark.parametrize("sql", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_shows(log: EventLog, path: Path, sql: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(sql)
    with pytest.raises(CheckFailed) as caught:
        log.verify()
    assert caught.value.code in ("log.broken", "log.projection")


def test_a_refused_event_leaves_nothing(log: EventLog) -> None:
    before = log.head(), log.count(), log.projection("A")
    with pytest.raises(CheckFailed):
        log.append("A", "forbidden", {}, attachments=[b"x"], notices={"k": {}})
    assert (log.head(), log.count(), log.projection("A")) == before
    assert log.outbox() == []
    with pytest.raises(CheckFailed):
        log.attachment(
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        )


@pytest.mark.req("R46")
def test_a_notice_is_kept_once(log: EventLog) -> None:
    log.append("A", "four", {}, notices={"A": {"result": "first"}})
    log.append("A", "five", {}, notices={"A": {"result": "second"}})
    assert log.outbox() == [("A", "A", {"result": "first"})]


def test_absorbing_twice_changes_nothing(log: EventLog, tmp_path: Path) -> None:
    other = EventLog(tmp_path / "other.db", count_fold, SystemClock())
    events = log.events("A")
    assert other.absorb(events, [b"box"]) == 3
    assert other.absorb(events, [b"box"]) == 0
    assert other.absorb(events[:2], []) == 0
    other.verify()
    other.close()


@pytest.mark.req("R50")
def test_a_fork_is_refused(log: EventLog, tmp_path: Path) -> None:
    other = EventLog(tmp_path / "other.db", count_fold, SystemClock())
    other.absorb(log.events("A")[:2], [])
    other.append("A", "three", {"n": 2})
    with pytest.raises(CheckFailed) as caught:
        other.absorb(log.events("A"), [])
    assert caught.value.code == "chain.forked"
    other.close()


def test_a_broken_chain_is_refused(log: EventLog, tmp_path: Path) -> None:
    other = EventLog(tmp_path / "other.db", count_fold, SystemClock())
    events = log.events("A")
    forged = replace(events[1], payload={"n": 99})
    for wrong in ([events[1]], [events[0], events[2]], [events[0], forged], []):
        with pytest.raises(CheckFailed) as caught:
            other.absorb(wrong, [])
        assert caught.value.code == "chain.broken"
    assert other.count() == 0
    other.close()


def test_commits_are_durable(path: Path, log: EventLog) -> None:
    """WAL and synchronous=FULL on the connection that writes."""
    assert log._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert log._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_store_in_use_is_said_so(path: Path, log: EventLog) -> None:
    log._db.execute("PRAGMA busy_timeout = 50")
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(LinkFailed) as caught:
            log.append("A", "four", {})
        db.execute("ROLLBACK")
    assert caught.value.code == "store.locked"


def test_a_store_of_the_version_before_is_brought_up_to_date(path: Path) -> None:
    """Orders are found by columns that version 1 had not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.executescript(_SCHEMA)
        text = json.dumps({"mid": "898110054110001", "state": "DRAFT"})
        db.execute("INSERT INTO orders (order_id, projection) VALUES ('A', ?)", (text,))
        db.execute("PRAGMA user_version = 1")
    log = EventLog(path, count_fold, SystemClock())
    (found,) = log.projections(mid=["898110054110001"], state=["DRAFT"])
    assert found["state"] == "DRAFT"
    assert log.projections(mid=["other"]) == []
    log.close()


def test_orders_are_found_by_what_they_are(log: EventLog, path: Path) -> None:
    with pytest.raises(ValueError):
        log.projections(reason=["x"])
    assert [p["count"] for p in log.projections(newest=1)] == [
        log.projections()[-1]["count"]
    ]


def test_a_newer_store_is_refused(path: Path, log: EventLog) -> None:
    log._db.execute("PRAGMA user_version = 99")
    with pytest.raises(LinkFailed) as caught:
        EventLog(path, count_fold, SystemClock())
    assert caught.value.code == "store.newer"


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_text(json.dumps({"no": "store"}) * 100)
    with pytest.raises(LinkFailed) as caught:
        EventLog(path, count_fold, SystemClock())
    assert caught.value.code == "store.unusable"
