"""Order files between field and office: edited, forged, replayed, of other people."""

from __future__ import annotations

import base64
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest
from orderfiles import File, add_events, approve, resign, rewrite, root_of
from world import RUN_ANSWERS, Site

from emulator.bench import MID, OLD_NUMBER
from posctl.change import orderfile
from posctl.model.canonical import canonical
from posctl.model.errors import CheckFailed, LinkFailed
from posctl.office import receipt
from posctl.store import keys, profiles
from posctl.store.eventlog import Event
from posctl.store.home import Home


def test_a_file_as_it_was_sent_is_taken(site: Site, sent: Path) -> None:
    assert approve(site, sent) == "taken"


@pytest.mark.req("R50")
@pytest.mark.parametrize("where", range(200, 6000, 450))
def test_any_changed_byte_is_refused(site: Site, sent: Path, where: int) -> None:
    raw = bytearray(sent.read_bytes())
    number = json.loads(bytes(raw))["body"]["order"]
    raw[where] = raw[where] ^ 0x01
    sent.write_bytes(raw)
    ran = site.run("change", "approve", number, "--order-file", str(sent))
    assert ran.code == 7, ran.err
    assert "Traceback" not in ran.err


JUNK: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"\xff\xfe{",
    "a list": b"[]",
    "another format": b'{"format": "x"}',
    "a later version": b'{"format": "posctl-order", "version": 2}',
    "no parts": b'{"format": "posctl-order", "version": 1}',
    "deep": b"[" * 100_000,
    "wrong types": b'{"format":"posctl-order","version":1,"body":[],"proof":1}',
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_junk_is_refused_in_words(site: Site, tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "junk"
    path.write_bytes(junk)
    ran = site.run("change", "approve", "AAAA-AAAAA", "--order-file", str(path))
    assert ran.code == 7
    assert ran.error["code"] in ("orderfile.unreadable", "signature.certificate")


@pytest.mark.req("R30")
def test_a_field_file_cannot_hold_an_approval(site: Site, sent: Path) -> None:
    """The technician holds his own key and writes what only the office may."""
    approval = {
        "approver": "wang",
        "digest": "",
        "proof": {},
        "steps": {
            name: {}
            for name in ("chip_proof", "identity", "old_account", "office_caps")
        },
        "cooling_hours": 0,
        "name_grade": "EQUAL",
        "account_id": "",
    }
    rewrite(site, sent, lambda d: add_events(d, ("order.approved", approval)))
    assert approve(site, sent) == "chain.maker"


@pytest.mark.req("R30")
def test_nor_can_it_before_it_is_sent(site: Site, sent: Path) -> None:
    def approve_early(data: File) -> None:
        del data["body"]["events"][-1]  # order.sent
        add_events(data, ("order.approved", {"approver": "wang"}), ("order.sent", {}))

    rewrite(site, sent, approve_early)
    assert approve(site, sent) == "order.transition"


@pytest.mark.req("R1")
def test_the_signer_is_the_operator_of_the_order(site: Site, sent: Path) -> None:
    home = Home(site.home)
    root = root_of(home)
    zhao = keys.issue(root, "zhao", keys.TECHNICIAN, datetime.now(UTC))
    keys.save_operator(home.operators, zhao, None)
    data = json.loads(sent.read_text())
    resign(site, data, "zhao")
    sent.write_bytes(canonical(data))
    assert approve(site, sent) == "signature.other"


def test_the_office_cannot_send_as_the_field(site: Site, sent: Path) -> None:
    data = json.loads(sent.read_text())
    resign(site, data, "wang")
    sent.write_bytes(canonical(data))
    assert approve(site, sent) == "signature.role"


def test_somebody_elses_root_is_refused(site: Site, sent: Path) -> None:
    other = keys.make_root("other", datetime.now(UTC), test=False)
    mallory = keys.issue(other, "li", keys.TECHNICIAN, datetime.now(UTC))
    data = json.loads(sent.read_text())
    data["proof"] = mallory.sign("order file", data["body"])
    sent.write_bytes(canonical(data))
    assert approve(site, sent) == "signature.certificate"


@pytest.mark.req("R49")
def test_a_sealed_account_of_another_order_does_not_open(
    site: Site, sent: Path, tmp_path: Path
) -> None:
    """Its box is bound to order, field and recipient."""
    first = json.loads(sent.read_text())
    site.run("change", "rollback", first["body"]["order"])  # in transit: refused
    assert approve(site, sent) == "taken"
    number = first["body"]["order"]
    site.run("change", "rollback", number).ok()
    second = tmp_path / "second.posctl-order"
    to_file = ["--order-file", str(second)]
    site.run("change", "run", *site.means(), *to_file, answers=RUN_ANSWERS).ok()

    def swap(data: File) -> None:
        box = next(e for e in first["body"]["events"] if e["kind"] == "account.sealed")
        sha256 = box["payload"]["sealed"]
        data["boxes"][sha256] = first["boxes"][sha256]
        data["body"]["attachments"].append(sha256)
        events = [Event.from_json(event) for event in data["body"]["events"]]
        chain: list[Event] = []
        for event in events:
            payload = (
                box["payload"] if event.kind == "account.sealed" else event.payload
            )
            last = chain[-1] if chain else None
            chain.append(
                Event.chained(event.order_id, last, event.time, event.kind, payload)
            )
        data["body"]["events"] = [event.to_json() for event in chain]
        data["body"]["head"] = chain[-1].hash

    rewrite(site, second, swap)
    assert approve(site, second) == "seal.broken"


def test_a_file_taken_twice_changes_nothing(site: Site, sent: Path) -> None:
    copy = sent.read_bytes()
    assert approve(site, sent) == "taken"
    number = json.loads(copy)["body"]["order"]
    before = site.run("orders", "show", number).ok()
    inbox = site.home / "office" / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / f"{number}.posctl-order").write_bytes(copy)
    site.run("orders", "list").ok()
    assert site.run("orders", "show", number).ok() == before
    site.commit(number).ok()
    (inbox / f"{number}.posctl-order").write_bytes(copy)
    site.run("orders", "list").ok()
    assert site.run("orders", "show", number).ok()["state"] == "EFFECTIVE"


def test_a_wrong_file_in_the_inbox_does_not_stop_the_others(
    site: Site, sent: Path
) -> None:
    inbox = site.home / "office" / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / "AAAA-0001.posctl-order").write_text("{}")
    listed = site.run("orders", "list")
    assert listed.code == 0
    assert "left in the inbox" in listed.err
    assert approve(site, sent) == "taken"


@pytest.mark.req("R30")
def test_an_approval_that_was_edited_in_the_store_is_not_committed(
    site: Site, sent: Path
) -> None:
    """Even who can write the office's store cannot approve without a key."""
    import sqlite3

    assert approve(site, sent) == "taken"
    number = json.loads(_office_order(site))["number"]
    with sqlite3.connect(site.home / "office" / "log.db") as db:
        (payload,) = db.execute(
            "SELECT payload FROM events WHERE kind = 'order.approved'"
        ).fetchone()
        forged = json.loads(payload)
        forged["proof"]["signature"] = "00" * 64
        db.execute(
            "UPDATE events SET payload = ? WHERE kind = 'order.approved'",
            (json.dumps(forged),),
        )
    assert site.commit(number).error["code"] == "signature.wrong"
    assert site.account() == OLD_NUMBER


def _office_order(site: Site) -> str:
    import sqlite3

    with sqlite3.connect(site.home / "office" / "log.db") as db:
        return str(db.execute("SELECT projection FROM orders").fetchone()[0])


def test_pictures_are_sealed_in_the_file(site: Site, sent: Path) -> None:
    data = json.loads(sent.read_text())
    picture = (site.bench.pictures / "0025.jpg").read_bytes()
    boxes = [base64.b64decode(text) for text in data["boxes"].values()]
    assert len(data["body"]["documents"]) == 2
    assert not any(picture[100:200] in box for box in boxes)


def test_an_order_under_another_profile_goes_back(site: Site, sent: Path) -> None:
    """The profile was renewed while the order was on its way: there is a way on."""
    home = Home(site.home)
    text = (home.profiles / "emulator.toml").read_text()
    newer = text.replace("version = 1", "version = 2")
    profiles.install(home.profiles, newer, root_of(home))
    assert approve(site, sent) == "order.refused"
    (order,) = site.run("orders", "list").ok()["orders"]
    assert order["state"] == "REJECTED"
    assert site.propose().ok()["state"] == "PROPOSED"


def test_what_was_refused_on_arrival_goes_back_when_somebody_signs(
    site: Site, sent: Path
) -> None:
    """It is met by a command that needs no key; the next one at work hands it back."""
    home = Home(site.home)
    text = (home.profiles / "emulator.toml").read_text()
    newer = text.replace("version = 1", "version = 2")
    profiles.install(home.profiles, newer, root_of(home))
    inbox = home.office / "inbox"
    inbox.mkdir(exist_ok=True)
    sent.rename(inbox / sent.name)
    (order,) = site.run("orders", "list").ok()["orders"]
    assert order["state"] == "REJECTED"
    assert site.propose().error["code"] == "order.at_office"
    site.run("merchant", "fetch", MID).ok()
    assert site.propose().ok()["state"] == "PROPOSED"


@pytest.mark.req("R37")
def test_an_order_whose_way_back_was_cut_short_goes_back_later(site: Site) -> None:
    """The disk was full just when its file was to be written; its end is recorded. One
    that cannot be read keeps nobody from work."""
    number = str(site.propose().ok()["order"])
    site.run("orders", "list").ok()  # the office takes it in
    full = LinkFailed("file.unwritable", path="-", reason="No space left on device")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receipt.orderfile, "write", Mock(side_effect=full))
        assert site.run("change", "cancel", number).code == 5
    assert site.propose().error["code"] == "order.at_office"
    with sqlite3.connect(site.home / "office" / "log.db") as db:
        text = "UPDATE orders SET projection = ? WHERE order_id = ?"
        sql = "SELECT projection FROM orders WHERE order_id = ?"
        (kept,) = db.execute(sql, (number,)).fetchone()
        db.execute(text, ("{}", number))
        other = "UPDATE orders SET mid = ? WHERE order_id = ?"
        db.execute(other, ("of another", number))
    told = site.run("merchant", "fetch", MID)
    assert told.code == 0 and number in told.err and "log.projection" in told.err
    listed = site.run("orders", "list")
    assert (listed.code, listed.error["code"]) == (7, "log.projection")
    with sqlite3.connect(site.home / "office" / "log.db") as db:
        db.execute(text, (kept, number))
        db.execute(other, (MID, number))
    site.run("merchant", "fetch", MID).ok()
    assert site.propose().ok()["state"] == "PROPOSED"
    (told_once,) = site.run("outbox", "list").ok()["messages"]
    assert told_once["key"] == number


def test_read_refuses_numbers_that_are_paths(site: Site, sent: Path) -> None:
    def rename(data: File) -> None:
        opened = Event.from_json(data["body"]["events"][0])
        forged = Event.chained("../evil", None, opened.time, "order.opened", {})
        data["body"] |= {
            "order": "../evil",
            "events": [forged.to_json()],
            "head": forged.hash,
        }

    rewrite(site, sent, rename)
    with pytest.raises(CheckFailed) as caught:
        orderfile.read(sent, Home(site.home).trust, datetime.now(UTC))
    assert caught.value.code == "orderfile.unreadable"
