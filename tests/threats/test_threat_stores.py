"""The stores edited, cut off, put back, swapped, copied."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from attacks import copy, nothing_changes, outside, refused, sql
from orderfiles import resign
from procedures import proposed, state
from world import RUN_ANSWERS, Ran, Site

from emulator.bench import NEW_NUMBER, OLD_NUMBER
from posctl.change.order import fold
from posctl.model.canonical import Json, canonical
from posctl.model.clock import SystemClock
from posctl.store.eventlog import LOOKED_UP, Event, EventLog


def verify(site: Site, *against: str) -> str:
    """What `audit verify` says."""
    words = [word for head in against for word in ("--against", head)]
    ran = site.run("audit", "verify", *words)
    assert "Traceback" not in ran.err
    return "whole" if ran.code == 0 else str(ran.error["code"])


@pytest.fixture
def effective(site: Site) -> str:
    """The number of an order whose change has taken effect."""
    number = site.approved()
    site.commit(number).ok()
    site.run("orders", "list").ok()
    return number


# -- edited ------------------------------------------------------------------------

EDITS = {
    "a payload": (
        "UPDATE events SET payload = json_set(payload, '$.reason', 'x')"
        " WHERE kind = 'order.approved'",
        "log.broken",
    ),
    "a time": ("UPDATE events SET time = '2020-01-01T00:00:00.000Z'", "log.broken"),
    "a kind": (
        "UPDATE events SET kind = 'step.failed' WHERE kind = 'binding.read'"
        " OR kind = 'order.received'",
        "log.broken",
    ),
    "an event taken out": (
        "DELETE FROM events WHERE kind = 'apply.done'",
        "log.broken",
    ),
    "two events in the other order": (
        "UPDATE events SET sequence = CASE sequence WHEN 1 THEN -1 WHEN 2 THEN -2"
        " ELSE sequence END",
        "log.broken",
    ),
    "no payload": ("UPDATE events SET payload = 'x'", "log.unreadable"),
    "the projection": (
        "UPDATE orders SET projection = json_set(projection, '$.state', 'APPROVED')",
        "log.projection",
    ),
    "a notice": ("UPDATE outbox SET notice = json('{}')", "outbox.altered"),
    "a notice's account": (
        "UPDATE outbox SET notice = json_set(notice, '$.new', '621234******1265')",
        "outbox.altered",
    ),
    "no notice": ("DELETE FROM outbox", "outbox.altered"),
}


@pytest.mark.req("R50")
@pytest.mark.parametrize(("statement", "code"), EDITS.values(), ids=EDITS)
def test_an_edited_store_is_found_out(
    site: Site, effective: str, statement: str, code: str
) -> None:
    assert verify(site) == "whole"
    before = outside(site)
    sql(site, "office", statement)
    assert verify(site) == code
    assert outside(site) == before


@pytest.mark.req("R30")
@pytest.mark.req("R50")
def test_an_order_moved_on_by_its_projection_is_not_submitted(site: Site) -> None:
    """PROPOSED said to be APPROVED: there is no approval to check."""
    number = proposed(site)
    site.run("orders", "list").ok()
    sql(
        site,
        "office",
        "UPDATE orders SET projection = json_set(projection, '$.state', 'APPROVED',"
        " '$.approver', 'wang')",
    )
    before = outside(site)
    ran = site.commit(number)
    assert ran.code != 0 and "Traceback" not in ran.err
    assert outside(site) == before
    assert verify(site) == "log.projection"


# -- cut off, put back, written anew -----------------------------------------------


def cut(site: Site, place: str, first: str) -> None:
    """Every event from that one on, and the projection that posctl itself would fold
    from what is left: a log that is whole in itself."""
    sql(site, place, f"DELETE FROM events WHERE sequence >= ({first})")  # noqa: S608
    path = site.home / place / "log.db"
    log = EventLog(path, fold, SystemClock())
    folded: dict[str, Json] = {}
    for event in log.all_events():
        folded[event.order_id] = fold(folded.get(event.order_id), event)
    log.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM orders")
        db.execute("DELETE FROM outbox")
        for number, projection in folded.items():
            told = canonical(projection).decode()
            columns = [projection[name] for name in LOOKED_UP]
            marks = ", ?" * len(LOOKED_UP)
            insert = f"INSERT INTO orders VALUES (?, ?{marks})"  # noqa: S608
            db.execute(insert, (number, told, *columns))
        db.commit()


def heads(site: Site) -> dict[str, str]:
    """As `audit verify` shows them, and somebody writes them down."""
    stores = site.run("audit", "verify").ok()["stores"]
    return {store["place"]: store["store_head"] for store in stores}


@pytest.mark.req("R50")
@pytest.mark.parametrize("place", ["field", "office"])
def test_the_last_event_cut_off(site: Site, effective: str, place: str) -> None:
    """What shows it is a head that was written down: the log itself is whole."""
    head = heads(site)[place]
    words = ("audit", "verify", "--place", place)
    site.run(*words, "--against", head).ok()
    cut(site, place, "SELECT MAX(sequence) FROM events")
    site.run(*words).ok()
    refused(site.run(*words, "--against", head), "audit.head")


@pytest.mark.req("R50")
def test_a_change_cut_out_of_the_offices_log(
    site: Site, effective: str, tmp_path: Path
) -> None:
    """The receipt that the merchant has names the heads."""
    path = str(tmp_path / "receipt.json")
    site.run("receipt", "show", effective, "--output", path).ok()
    words = ("audit", "verify", "--place", "office")
    site.run(*words, "--against", path).ok()
    cut(site, "office", "SELECT sequence FROM events WHERE kind = 'readback.done'")
    site.run(*words).ok()
    refused(site.run(*words, "--against", path), "audit.head")


@pytest.mark.req("R50")
def test_an_order_cut_out_of_the_fields_log(site: Site, sent: Path) -> None:
    """Its order file names the heads."""
    words = ("audit", "verify", "--place", "field")
    site.run(*words, "--against", str(sent)).ok()
    cut(site, "field", "SELECT sequence FROM events WHERE kind = 'order.sent'")
    site.run(*words).ok()
    refused(site.run(*words, "--against", str(sent)), "audit.head")


@pytest.mark.req("R50")
def test_a_log_written_anew_from_the_first_event(site: Site, effective: str) -> None:
    """He has posctl and chains rightly: only heads outside show that it is another."""
    known = heads(site)["office"]
    path = site.home / "office" / "log.db"
    log = EventLog(path, fold, SystemClock())
    events = list(log.all_events())
    log.close()
    path.unlink()
    forged = EventLog(path, fold, SystemClock())
    for event in events:
        other = {"fee_accepted": "8.88"} if event.kind == "order.proposed" else {}
        forged.append(event.order_id, event.kind, {**event.payload, **other})
    forged.close()
    words = ("audit", "verify", "--place", "office")
    assert site.run(*words).error["code"] == "outbox.altered"
    sql(site, "office", "DELETE FROM outbox")
    cut(site, "office", "SELECT sequence FROM events WHERE kind = 'order.returned'")
    site.run(*words).ok()
    refused(site.run(*words, "--against", known), "audit.head")


@pytest.mark.req("R50")
def test_yesterdays_store_put_back(site: Site, tmp_path: Path) -> None:
    """The provider knows the application, the receipt the heads (see also
    `test_a_store_older_than_the_provider_is_not_called_rejected`)."""
    number = site.approved()
    yesterday = copy(site.home / "office", tmp_path / "yesterday")
    site.commit(number).ok()
    path = str(tmp_path / "receipt.json")
    site.run("receipt", "show", number, "--output", path).ok()
    before = outside(site)
    copy(yesterday, site.home / "office")
    words = ("audit", "verify", "--place", "office")
    site.run(*words).ok()
    refused(site.run(*words, "--against", path), "audit.head")
    refused(site.commit(number), "commit.older_store", 9)
    assert outside(site) == before


# -- swapped, and used twice -------------------------------------------------------


@pytest.mark.req("R50")
def test_the_office_of_another_set_up(
    site: Site, effective: str, tmp_path: Path
) -> None:
    """Its store, its sealing key, its credentials: the profile pins another key."""
    known = heads(site)["office"]
    other = replace(site, home=tmp_path / "other").setup()
    number = proposed_again(site)
    before = outside(site)
    copy(other.home / "office", site.home / "office")
    words = ("audit", "verify", "--place", "office")
    site.run(*words).ok()
    refused(site.run(*words, "--against", known), "audit.head")
    refused(approve_file(site, number), "seal.broken")
    assert outside(site) == before


def proposed_again(site: Site) -> str:
    """After an effective change: the way back, its file kept in the field."""
    site.bench.loop.run(site.bench.terminal.host.download())
    answers = [OLD_NUMBER, OLD_NUMBER, NEW_NUMBER, *RUN_ANSWERS[1:]]
    ran = site.run("change", "run", "--typed", *site.means(), answers=answers)
    return str(ran.ok()["order"])


def approve_file(site: Site, number: str) -> Ran:
    path = site.home / "field" / "outgoing" / f"{number}.posctl-order"
    words = ("change", "approve", number, "--order-file", str(path))
    return site.run(*words, answers=[OLD_NUMBER[-4:]])


def second_laptop(site: Site, folder: Path) -> Site:
    """A copy of the field: both are used from now on."""
    copied = replace(site, home=folder / "copied")
    copy(site.home, copied.home)
    return copied


def file_of(site: Site, number: str) -> list[str]:
    path = site.home / "field" / "outgoing" / f"{number}.posctl-order"
    return ["change", "approve", number, "--order-file", str(path)]


@pytest.mark.req("R37")
@pytest.mark.req("R50")
def test_one_draft_continued_on_two_laptops(site: Site, tmp_path: Path) -> None:
    """Two files of one order: the office takes the first, whoever it is from."""
    declined = [*RUN_ANSWERS[:-1], "no"]
    site.run("change", "run", *site.means(), answers=declined)
    (order,) = site.run("orders", "list").ok()["orders"]
    number = order["order"]
    copied = second_laptop(site, tmp_path)
    resume = ("change", "resume", number, *site.means())
    for laptop in (site, copied):
        laptop.run(*resume, answers=["CHANGE"]).ok()
    site.approve(number).ok()
    with nothing_changes(site):
        ran = site.run(*file_of(copied, number), answers=["0018"])
        refused(ran, "chain.forked")


@pytest.mark.req("R14")
def test_two_orders_from_two_laptops(site: Site, tmp_path: Path) -> None:
    """Each field knows its own only: the office refuses the second."""
    copied = second_laptop(site, tmp_path)
    first, second = proposed(site), proposed(copied)
    site.approve(first).ok()
    ran = site.run(*file_of(copied, second), answers=["0018"])
    refused(ran, "order.refused")
    assert (state(site, first), site.account()) == ("APPROVED", OLD_NUMBER)


@pytest.mark.req("R50")
def test_an_order_file_of_another_field(site: Site, tmp_path: Path) -> None:
    """What comes back is for the laptop that opened it."""
    before = second_laptop(site, tmp_path)
    number = site.approved()
    site.run("change", "rollback", number).ok()
    returned = site.home / "field" / "inbox" / f"{number}.posctl-order"
    inbox = before.home / "field" / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / returned.name).write_bytes(returned.read_bytes())
    with nothing_changes(before):
        told = before.run("orders", "list")
        assert "order.foreign" in told.err


@pytest.mark.req("R14")
def test_an_order_that_another_field_is_said_to_have_opened(
    site: Site, sent: Path
) -> None:
    """The number begins with the field's id, in every event and in the signature."""
    data = json.loads(sent.read_text())
    old = data["body"]["order"]
    new = f"ZZZZ{old[4:]}"
    chain: list[Event] = []
    for item in data["body"]["events"]:
        event = Event.from_json(item)
        last = chain[-1] if chain else None
        chain.append(Event.chained(new, last, event.time, event.kind, event.payload))
    data["body"]["events"] = [event.to_json() for event in chain]
    data["body"] |= {"order": new, "head": chain[-1].hash}
    resign(site, data)
    sent.write_bytes(canonical(data))
    with nothing_changes(site):
        words = ("change", "approve", new, "--order-file", str(sent))
        refused(site.run(*words, answers=["0018"]), "signature.other")
